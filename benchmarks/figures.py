"""What a bench found: figures beside what they must reach, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One figure. `at_least` or `at_most` is the target; one with neither is to be read beside others."""

    bench: str
    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most


@dataclass(frozen=True)
class Paired:
    """Two things measured in turn, round by round: a machine that slows down slows both."""

    ours: tuple[float, ...]
    peers: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Ours to the peer's: median over the rounds."""
        return median(a / b for a, b in zip(self.ours, self.peers, strict=True))


def in_turn(rounds: int, ours: Callable[[], float], peers: Callable[[], float]) -> Paired:
    """Measure both in every round; which comes first changes."""
    found: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            second = peers()
            found.append((ours(), second))
        else:
            found.append((ours(), peers()))
    return Paired(tuple(a for a, _ in found), tuple(b for _, b in found))


def show(figures: Sequence[Figure], console: Console) -> None:
    """The figures as a table."""
    table = Table("bench", "what", "measured", "must reach", "holds")
    for figure in figures:
        bound = "" if figure.holds is None else f"{'>=' if figure.at_least is not None else '<='} "
        target = figure.at_least if figure.at_least is not None else figure.at_most
        holds = {True: "yes", False: "no", None: ""}[figure.holds]
        measured = f"{figure.value:,.4g} {figure.unit}".strip()
        table.add_row(figure.bench, figure.what, measured, f"{bound}{target or ''}", holds)
    console.print(table)


def save(figures: Sequence[Figure], file: Path) -> None:
    """The figures and the machine as JSON."""
    one_minute, five_minutes, _ = os.getloadavg()
    machine = {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": [one_minute, five_minutes],  # above the cores: others were at work
    }
    told = {"machine": machine, "figures": [asdict(figure) | {"holds": figure.holds} for figure in figures]}
    file.write_text(json.dumps(told, indent=1) + "\n")
