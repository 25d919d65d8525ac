"""What a run shows: one line a stage with its time, a bar with rate and time while it lasts, tables of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

Advance = Callable[[int], None]
Figures = Mapping[str, Any]

console = Console(highlight=False)


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Show that a stage runs, and when it has ended well how long it took."""
    begun = perf_counter()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(title, total=None)
        yield
    _done(title, begun)


@contextmanager
def counted(title: str, total: int, unit: str) -> Iterator[Advance]:
    """Show a bar over `total` units (0: not known) with rate and time left; the function given counts further ones."""
    begun = perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task, done = progress.add_task(title, total=total or None, rate=""), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress.update(task, completed=done, rate=f"{done / max(perf_counter() - begun, 1e-9):,.0f} {unit}/s")

        yield advance
    _done(title, begun)


def ranking_table(arms: Mapping[str, Figures], k: int = 20) -> Table:
    """Recall@k and NDCG@k of every arm, and the share of the first arm's Recall@k that it keeps."""
    first = next(iter(arms.values()))
    table = Table(title=f"Test ranking, {first['users']:,} users", title_justify="left", box=None)
    table.add_column("")
    for column in (f"Recall@{k}", f"NDCG@{k}", "of the first"):
        table.add_column(column, justify="right")
    for arm, figures in arms.items():
        recall, ndcg = figures[f"recall@{k}"], figures[f"ndcg@{k}"]
        share = recall / first[f"recall@{k}"] if first[f"recall@{k}"] else 0.0
        table.add_row(arm, f"{recall:.4f}", f"{ndcg:.4f}", f"{share:.1%}")
    return table


def zero_shot_lines(figures: Mapping[str, Any], k: int = 20) -> str:
    """Recall@k of unseen users and items from their tokens, and what it is to be compared with, in a line each."""
    lines = []
    if users := figures.get("users"):
        unseen, seen = (users[arm]["test"]["tokens only"][f"recall@{k}"] for arm in ("zero_shot", "seen"))
        lines.append(
            f"     {users['held_out']:,} unseen users, tokens only: Recall@{k} {unseen:.4f}, of seen users {seen:.4f}"
            f" ({users['kept']['seen']:.0%})"
        )
    if items := figures.get("items"):
        unseen, trained = (items[arm][f"recall@{k}"] for arm in ("tokens", "trained"))
        lines.append(
            f"     {items['held_out']:,} unseen items among themselves, tokens from text: Recall@{k} {unseen:.4f},"
            f" had they been trained on {trained:.4f}, at random {items['random']:.4f}"
        )
    return "\n".join(lines)


def _done(title: str, begun: float) -> None:
    console.print(f"[green]done[/green] {title} [dim]{perf_counter() - begun:.1f} s[/dim]")
