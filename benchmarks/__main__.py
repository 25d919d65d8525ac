"""python -m benchmarks [NAMES]: run benches, print one table, write the figures as JSON."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.figures import Figure, save, show
from benchmarks.http_load import NoLoadClient
from benchmarks.made_version import Size, publish_made_version

FAST = ("explain-cached", "recommend", "retrieve", "tokenize", "remote")
"""Need nothing but this repository; about three minutes."""
SLOW = ("in-process", "generate")
"""Need a published version with a real language model (`make demo`), in the folder that `--demo` names."""
LARGE = ("publish",)
"""A million users; a minute."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join((*FAST, *SLOW, *LARGE))}.")] = None,
    store: Annotated[Path | None, typer.Option(help="Published version to measure; left out: one is made.")] = None,
    demo: Annotated[Path, typer.Option(help="Published version with a real LLM.")] = Path("model_store/artifacts"),
    rounds: Annotated[int, typer.Option(help="Rounds of each comparison.", min=1, max=50)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of a round of requests.", min=0.5, max=60)] = 2.0,
    output: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Run the named benches, or the fast ones."""
    console, figures = Console(width=150), list[Figure]()
    with tempfile.TemporaryDirectory() as folder:
        made = store or Path(folder) / "store"
        if store is None:
            publish_made_version(made, Size())
        for name in names or FAST:
            with console.status(name):
                try:
                    figures += _benches(made, demo, Path(folder), rounds, seconds)[name]()
                except NoLoadClient as error:
                    console.print(f"[red]{name}:[/] {error}")
    show(figures, console)
    if output is not None:
        save(figures, output)


def _benches(
    made: Path, demo: Path, scratch: Path, rounds: int, seconds: float
) -> dict[str, Callable[[], list[Figure]]]:
    # imported where they are run: a bench of memory must not be in a process that loaded torch for another
    from benchmarks import bench_process, bench_publish, bench_retrieve, bench_routes, bench_tokenize

    def generate() -> list[Figure]:
        from benchmarks.bench_generate import bench_generate

        return bench_generate(demo, rounds=rounds)

    return {
        "explain-cached": lambda: bench_routes.bench_explain_cached(made, rounds=rounds, seconds=seconds),
        "recommend": lambda: bench_routes.bench_recommend(made, rounds=rounds, seconds=seconds),
        "retrieve": lambda: bench_retrieve.bench_retrieve(made, rounds=rounds),
        "tokenize": lambda: bench_tokenize.bench_tokenize(rounds=rounds),
        "remote": lambda: bench_process.bench_remote(made, rounds=rounds),
        "in-process": lambda: bench_process.bench_in_process(demo, rounds=rounds),
        "generate": generate,
        "publish": lambda: bench_publish.bench_publish(scratch),
    }


if __name__ == "__main__":
    typer.run(main)
