"""Tables of what was measured of explanations, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

FORM_TITLES = {"tokens_only": "tokens only", "titled": "tokens and title", "as_served": "as served"}
TEXT_COLUMNS = {
    "bertscore": "BERTScore",
    "cosine": "cosine",
    "rouge_l": "ROUGE-L",
    "identified_among_10": "among 10",
    "identified_among_100": "among 100",
    "words": "words",
}
LEAKED = " [red]LEAKED: judged on pairs that were trained on[/red]"


def explanation_tables(figures: Mapping[str, Any], *, leaked: bool = False) -> Iterator[Table]:
    """Likelihoods and margins, and texts where there are any. `leaked` marks every title."""
    mark = LEAKED if leaked else ""
    yield margin_table(figures, mark)
    if "texts" in figures:
        yield text_table(figures["texts"], mark)
        if "preferences" in figures["texts"]:
            yield preference_table(figures["texts"]["preferences"], mark)


def margin_table(figures: Mapping[str, Any], mark: str = "") -> Table:
    """NLL under true tokens, swap margins with 95 % intervals, and the share of the profile text's gain."""
    table = Table(
        title=f"{figures['rows']:,} held-out explanations, nats a token{mark}", title_justify="left", box=None
    )
    for column in ("", "NLL", "user swapped", "item swapped", "both swapped", "of the profile's gain"):
        table.add_column(column, justify="left" if not column else "right")
    for form, title in FORM_TITLES.items():
        margins = [shown(margin) for margin in figures[form]["swap_margin"].values()]
        share = figures[form].get("gain", {}).get("share")
        gain = f"{share['mean']:.0%} [dim]({share['low']:.0%} to {share['high']:.0%})[/dim]" if share else ""
        table.add_row(title, f"{figures[form]['nll']['true']:.3f}", *margins, gain)
    return table


def text_table(texts: Mapping[str, Any], mark: str = "") -> Table:
    """Means of every arm's texts."""
    title = f"{texts['rows']:,} texts an arm, compared by {texts['encoder']}{mark}"
    table = Table(title=title, title_justify="left", box=None)
    columns = {key: name for key, name in TEXT_COLUMNS.items() if key in texts["arms"]["reference"]}
    table.add_column("")
    for name in (*columns.values(), "BLEU", "unique"):
        table.add_column(name, justify="right")
    for arm, figures in texts["arms"].items():
        means = [f"{figures[key]['mean']:.3f}" for key in columns]
        table.add_row(arm, *means, f"{figures['bleu']:.3f}", f"{figures['unique']:.2f}")
    return table


def preference_table(preferences: Mapping[str, Any], mark: str = "") -> Table:
    """How true are preferences that texts state: of the user they were written for, and of another."""
    table = Table(title=f"Preferences that texts state{mark}", title_justify="left", box=None)
    for column in ("", "a text", "true of the user", "of another", "difference"):
        table.add_column(column, justify="left" if not column else "right")
    for arm, figures in preferences.items():
        shares = [shown(figures[name]) if name in figures else "" for name in ("true", "swapped", "difference")]
        table.add_row(arm, f"{figures['stated']:.2f}", *shares)
    return table


def shown(interval: Mapping[str, float]) -> str:
    """A mean with its interval."""
    return f"{interval['mean']:+.3f} [dim]({interval['low']:+.3f} to {interval['high']:+.3f})[/dim]"
