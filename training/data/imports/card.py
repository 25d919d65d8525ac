"""The data card: what there is to learn from in a data set, and what could spoil it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

JSON_FILE: Final = "data_card.json"
MARKDOWN_FILE: Final = "data_card.md"
SHOWN_ROWS: Final = 20
"""Malformed rows that are shown; the JSON file lists more."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class DataCard:
    """Figures by section; what ends in `_share` is of 1, times are dates, texts are counted in words."""

    name: str
    figures: Mapping[str, Figures]
    """Section -> figure -> value."""
    quantiles: Mapping[str, Mapping[str, float]]
    """What is counted -> quantile -> value."""
    notes: tuple[str, ...]
    """What the figures mean for training."""
    malformed: tuple[str, ...]
    """The first malformed rows, each with its file and line."""

    def write(self, folder: Path) -> None:
        """Put the card into a folder, as JSON and as Markdown."""
        written = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        (folder / JSON_FILE).write_text(written, encoding="utf-8")
        (folder / MARKDOWN_FILE).write_text("\n".join(self._markdown()) + "\n", encoding="utf-8")

    def shown(self) -> RenderableType:
        """The card for a terminal."""
        figures = Table(title=f"Data card: {escape(self.name)}", title_justify="left", box=None, show_header=False)
        for section, rows in self.figures.items():
            figures.add_row(f"[bold]{section}[/bold]", "")
            for name, value in rows.items():
                figures.add_row(f"  {_words(name)}", escape(_value(name, value)))
        quantiles = Table(title_justify="left", box=None)
        for column in self._columns():
            quantiles.add_column(column, justify="right" if column else "left")
        for name, row in self.quantiles.items():
            quantiles.add_row(name, *(_value("", value) for value in row.values()))
        notes = [f"[yellow]note[/yellow] {escape(note)}" for note in self.notes]
        return Group(
            figures, "", quantiles, "", *notes, *(f"[red]malformed[/red] {escape(row)}" for row in self._rows())
        )

    def _markdown(self) -> Iterator[str]:
        yield f"# Data card: {self.name}"
        for section, rows in self.figures.items():
            yield from ("", f"## {section}", "", "| | |", "| --- | ---: |")
            yield from (f"| {_words(name)} | {_cell(_value(name, value))} |" for name, value in rows.items())
        yield from ("", "## Quantiles", "", f"| {' | '.join(self._columns())} |")
        yield f"| --- |{' ---: |' * (len(self._columns()) - 1)}"
        for name, row in self.quantiles.items():
            yield f"| {name} | {' | '.join(_value('', value) for value in row.values())} |"
        for title, lines in (("Notes", self.notes), ("Malformed rows", tuple(self._rows()))):
            if lines:
                yield from ("", f"## {title}", "", *(f"- {line}" for line in lines))

    def _columns(self) -> list[str]:
        return ["", *next(iter(self.quantiles.values()))]

    def _rows(self) -> Iterator[str]:
        yield from self.malformed[:SHOWN_ROWS]
        if len(self.malformed) > SHOWN_ROWS:
            yield f"(more of them in {JSON_FILE})"


def _words(name: str) -> str:
    return name.removesuffix("_share").replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _value(name: str, value: Any) -> str:
    if name.endswith("_share"):
        return "-" if value is None else f"{value:.2%}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
