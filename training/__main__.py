"""beat-train: train, judge and publish models that explain their recommendations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from model_store.errors import ModelStoreError
from training.config import ConfigError, RunConfig, read_config
from training.data import DataError, SplitConfig
from training.data.imports import ColumnMap, Form, ImportConfig, SplitBy, TimeUnit, import_dataset
from training.data.wheels import DownloadError, cache_root
from training.fetch_language_model import LanguageModelNotFetched
from training.llm_judge import JudgeEndpoint, JudgeError, LlmJudge
from training.progress import console, counted
from training.run_log import opened_log, points
from training.toml_fields import documented

DEFAULT_STORE = Path("model_store/artifacts")
FAILED = 1
INTERRUPTED = 130
"""Exit code of what Ctrl-C ended, as shells count it."""

app = typer.Typer(
    name="beat-train",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Begin with: [bold]beat-train run training/configs/movies.toml[/bold] (the movie demo; downloads its data).",
)

Store = Annotated[Path, typer.Option(help="Folder of published versions; finished stages are kept in it too.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the data, in place of the config's own.")]


@app.callback()
def main() -> None:
    """Train, judge and publish models that explain their recommendations.

    A run goes from interactions to a published version: it reads and splits the data without leaks, makes vectors
    (LightGCN), behaviour tokens (quantizers) and soft tokens for a frozen language model (projector), measures them
    and publishes. Each stage's output is kept under a key of its config and inputs: a run that was stopped, or whose
    config changed, repeats only what it must.
    """


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="TOML; `beat-train config` shows every key.")],
    data: Data = None,
    store: Store = DEFAULT_STORE,
    log_dir: Annotated[
        Path | None, typer.Option(help="Folder for losses, step by step, and figures as TensorBoard reads them.")
    ] = None,
) -> None:
    """Train what CONFIG says and publish it as the store's latest version."""
    with _one_line_errors():
        from training.run import run as run_stages  # torch: seconds that --help does not pay

        with opened_log(log_dir) as log:
            for point in points(run_stages(read_config(config), data, store, log=log)):
                log(point)


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="TOML; `beat-train config` shows every key.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE,VALUE as in tokenizer.codebook_size=64,128; several: every combination."),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Seeds of every combination, as in 0,1,2; the config's unless given.")
    ] = "",
    until: Annotated[
        Literal["report", "tokens"], typer.Option(help="tokens: stop at what is measured without the language model.")
    ] = "report",
    data: Data = None,
    store: Store = DEFAULT_STORE,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all runs' figures as JSON.")] = None,
) -> None:
    """Run CONFIG with several seeds and settings and print a table of their figures; nothing is published.

    What runs have in common is made once: finished stages are kept as those of `run` are. Exit code 1 if a run failed.
    """
    with _one_line_errors():
        from training.sweep import seeds_of, settings_of, sweep, variants

        chosen = list(variants(read_config(config), settings_of(setting or ()), seeds_of(seeds)))
        trials = sweep(chosen, data, store, until=until, json_out=json_out)
        if any(trial.error for trial in trials):
            raise typer.Exit(FAILED)


@app.command()
def evaluate(
    version: Annotated[str, typer.Argument(help="A published version, or `latest`.")],
    store: Store = DEFAULT_STORE,
    data: Data = None,
    rows: Annotated[
        Path | None, typer.Option(help="Explanation rows (Parquet, CSV) to judge, in place of test's.")
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for the figures as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="File for the same as a page to read.")] = None,
    allow_leak: Annotated[
        bool, typer.Option(help="Judge pairs that were trained on, and mark every figure so.")
    ] = False,
    max_rows: Annotated[
        int | None, typer.Option(help="Rows to judge at most; the version's config unless given.")
    ] = None,
    max_texts: Annotated[
        int | None, typer.Option(help="Of those, rows to write texts for under every arm; as the config unless given.")
    ] = None,
    judge: Annotated[
        str, typer.Option(help="An OpenAI-compatible endpoint, up to /v1, whose model grades the texts.")
    ] = "",
    judge_model: Annotated[str, typer.Option(help="The model's name there.")] = "",
    judge_key: Annotated[str, typer.Option(envvar="BEAT_JUDGE_KEY", help="Its key, if it wants one.")] = "",
) -> None:
    """Measure a published version on the test part of its data, or of another extract with the same ids.

    The leakage check comes first: it stops with the pairs if any that would be judged was trained on.
    """
    with _one_line_errors():
        from training.evaluate_version import Extent, evaluate_version

        grader = LlmJudge(JudgeEndpoint(judge, judge_model, judge_key), cache_root() / "judge") if judge else None
        extent = Extent(max_rows, max_texts)
        report = evaluate_version(store, version, data, rows, allow_leak=allow_leak, grader=grader, extent=extent)
        if json_out:
            json_out.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
        if html:
            from training.report import page

            html.write_text(page(report), encoding="utf-8")


@app.command("import")
def import_data(
    form: Annotated[Form, typer.Argument(help="What the files are; docs/data.md shows each form.")],
    source: Annotated[Path, typer.Argument(help="Folder of the files.")],
    target: Annotated[Path, typer.Argument(help="Folder of the data set to make; replaces one of the same name.")],
    name: Annotated[str, typer.Option(help="Of the data set; the folder's unless given.")] = "",
    k_core: Annotated[int, typer.Option(help="Keep users and items with this many of each other.", min=0)] = 0,
    split: Annotated[
        SplitBy, typer.Option(help="auto: the data's own, else by time, else random; none: left to each run.")
    ] = SplitBy.AUTO,
    valid_share: Annotated[float, typer.Option(help="Of each user's liked interactions.")] = SplitConfig.valid_share,
    test_share: Annotated[float, typer.Option(help="The same for the test part.")] = SplitConfig.test_share,
    seed: Annotated[int, typer.Option(help="Of a random split.")] = SplitConfig.seed,
    liked_from: Annotated[float, typer.Option(help="Lowest rating that is liking.")] = SplitConfig.min_rating,
    max_malformed: Annotated[int, typer.Option(help="Malformed rows to leave out; with more it fails.", min=0)] = 0,
    column: Annotated[
        list[str] | None, typer.Option(help="TABLE.COLUMN=THEIRS; twice for one column: both, joined.")
    ] = None,
    file: Annotated[list[str] | None, typer.Option(help="TABLE=PATTERN of its files.")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="KIND=COLUMN of items that tells facts.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="KIND=COLUMN of users that tells groups.")] = None,
    list_separator: Annotated[str, typer.Option(help='Between the values of a list in a text; "|" unless given.')] = "",
    delimiter: Annotated[str, typer.Option(help="Between the values of a row; as the file ends unless given.")] = "",
    time_unit: Annotated[TimeUnit, typer.Option(help="Of times that are numbers.")] = "s",
) -> None:
    """Make a data set folder, for `run --data`, out of files in one of several forms, and print its data card."""
    with _one_line_errors():
        mapping = ColumnMap.of_flags(
            column or (), file or (), fact or (), group or (),
            list_separator=list_separator, delimiter=delimiter, time_unit=time_unit,
        )  # fmt: skip
        held_out = SplitConfig(seed, liked_from, valid_share, test_share)
        told = ImportConfig(form, mapping, name, k_core, split, held_out, max_malformed)
        with counted("Importing", 0, "rows") as advance:
            card = import_dataset(source, target, told, on_rows=advance)
        console.print(card.shown(), soft_wrap=True)
        console.print(
            f"[green]imported[/green] {card.name} to {target}; train with: beat-train run CONFIG --data {target}"
        )


@app.command()
def config(path: Annotated[Path | None, typer.Argument(help="A config, to be shown complete.")] = None) -> None:
    """Print every key with what it means and its default (or its value in PATH), as TOML to start from."""
    with _one_line_errors():
        typer.echo("\n".join(documented(read_config(path) if path else RunConfig())))


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What can go wrong in the world, as one line and an exit code; a mistake of ours keeps its trace."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        yield
    except (
        ConfigError,
        DataError,
        DownloadError,
        JudgeError,
        LanguageModelNotFetched,
        ModelStoreError,
        OSError,
    ) as error:
        errors.print(f"[red]error:[/red] {escape(str(error))}")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        errors.print("stopped; finished stages are kept, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None


if __name__ == "__main__":
    app()
