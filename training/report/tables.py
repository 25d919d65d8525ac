"""Figures as tables of a page: of known shape where it matters, and of any shape for what other stages add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INTERVAL = {"mean", "low", "high"}
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A caption, the heads of all columns (the first names the rows), and rows of the same length."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(caption: str, rows: Mapping[str, Figures]) -> Table:
    """One row an entry; columns are the figures that any of them has, in the order in which they appear."""
    keys = list(dict.fromkeys(key for figures in rows.values() for key, value in figures.items() if is_figure(value)))
    return Table(
        caption,
        ("", *(spoken(key) for key in keys)),
        tuple((spoken(name), *(shown(figures.get(key)) for key in keys)) for name, figures in rows.items()),
    )


def tables(caption: str, node: Figures) -> Iterator[Table]:
    """Any nested figures: entries side by side that hold figures become one table, deeper ones tables of their own."""
    own = {name: part for name, part in node.items() if is_figure(part)}
    if own:
        yield Table(caption, ("", "figure"), tuple((spoken(name), shown(part)) for name, part in own.items()))
    parts = {name: _entries(part) for name, part in node.items() if not is_figure(part)}
    level = {name: part for name, part in parts.items() if any(is_figure(value) for value in part.values())}
    if level:
        yield table(caption, level)
    for name, part in parts.items():
        deeper = {key: value for key, value in part.items() if not is_figure(value)}
        if deeper:
            yield from tables(f"{caption}: {spoken(name)}", deeper)


def quintiles(caption: str, arms: Mapping[str, Figures], key: str) -> Table | None:
    """One figure of every arm by how long the users' histories are; None where nothing is told by that."""
    told = {name: figures["by_activity"] for name, figures in arms.items() if figures.get("by_activity")}
    if not told:
        return None
    bins = next(iter(told.values()))
    heads = tuple("{}-{} items".format(*each["history"]) for each in bins)
    rows = tuple((spoken(name), *(shown(each.get(key)) for each in parts)) for name, parts in told.items())
    return Table(caption, ("training history", *heads), rows)


def is_figure(value: Any) -> bool:
    """A number, a text, nothing at all, or a mean with its interval: what one cell can show."""
    if isinstance(value, Mapping):
        return set(value) - {"leaked"} == INTERVAL
    return value is None or isinstance(value, int | float | str)


def shown(value: Any) -> str:
    """A figure as a cell shows it."""
    if isinstance(value, Mapping):
        return f"{decimal(value['mean'])} ({decimal(value['low'])} to {decimal(value['high'])})"
    if isinstance(value, bool) or value is None:
        return "" if value is None else "yes" if value else "no"
    return decimal(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def decimal(value: float) -> str:
    """Three decimals, one from a hundred on; a true minus."""
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:.{digits}f}".replace("-", "\u2212")


def signed(value: float) -> str:
    """The same with its sign."""
    return ("+" if value >= 0 else "") + decimal(value)


def percent(value: float) -> str:
    """A share of 1 as a percentage."""
    return f"{value:.0%}".replace("-", "\u2212")


def spoken(name: str) -> str:
    """A key as people say it."""
    return NAMES.get(name, name.replace("_", " "))


def _entries(part: Any) -> Figures:
    if isinstance(part, Mapping):
        return part
    return {str(at): value for at, value in enumerate(part)} if isinstance(part, Sequence) else {}


NAMES = {
    "true": "own tokens",
    "user": "user's swapped",
    "item": "item's swapped",
    "both": "both swapped",
    "identity_free": "identity-free control",
    "random": "random control",
    "random_user": "random, user's swapped",
    "random_item": "random, item's swapped",
    "none": "no tokens",
    "profile": "item's whole text",
    "profile_tokens": "item's whole text and own tokens",
    "titled": "own tokens and title",
    "as_served": "as served",
    "tokens_only": "tokens only",
    "constant": "one constant sentence",
    "other_reference": "another item's reference",
    "xrec_prediction": "XRec (7 B)",
    "rexrec_prediction": "ReXRec",
    "bertscore": "BERTScore F1",
    "rouge_l": "ROUGE-L",
    "bleu": "BLEU",
    "bleu_1": "BLEU-1",
    "identified_among_10": "found among 10",
    "identified_among_100": "found among 100",
    "user_swap_margin": "user swap margin",
    "item_swap_margin": "item swap margin",
}
