"""What a sweep shows of its runs: the figures that decide, their means and spreads over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from rich.table import Table

Report = Mapping[str, Any]
Figures = dict[str, float]

ROW = "recall@20"
FIGURES: dict[str, Callable[[Report], float]] = {
    "Recall@20 vectors": lambda report: report["ranking"]["test"]["vectors"][ROW],
    "tokens": lambda report: report["ranking"]["test"]["tokens only"][ROW],
    "kept": lambda report: FIGURES["tokens"](report) / FIGURES["Recall@20 vectors"](report),
    "unseen users kept": lambda report: report["zero_shot"]["users"]["kept"]["seen"],
    "least usage": lambda report: min(min(side["usage"]) for side in report["codebooks"].values()),
    "least perplexity": lambda report: min(min(side["perplexity"]) for side in report["codebooks"].values()),
    "best micro lift": lambda report: max(lift for lift in report["codebooks"]["item"]["lift"][1:] if lift is not None),
    "NLL": lambda report: report["explanations"]["tokens_only"]["nll"]["true"],
    "item margin": lambda report: report["explanations"]["tokens_only"]["swap_margin"]["item"]["mean"],
    "user margin": lambda report: report["explanations"]["tokens_only"]["swap_margin"]["user"]["mean"],
    "of the profile's gain": lambda report: report["explanations"]["tokens_only"]["gain"]["share"]["mean"],
    "NLL as served": lambda report: report["explanations"]["as_served"]["nll"]["true"],
}
"""By the name that the table shows. Of explanations those with tokens alone, unless served is said."""


def headline(report: Report) -> Figures:
    """Those FIGURES that the report has; a run that stopped before the LLM has none of explanations."""
    found: Figures = {}
    for name, figure in FIGURES.items():
        try:
            found[name] = float(figure(report))
        except (KeyError, ValueError, ZeroDivisionError):  # not measured, or of nothing
            continue
    return found


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: what was set, the seed, and its figures or why it failed."""

    changes: Mapping[str, Any]
    seed: int
    figures: Figures
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"changes": dict(self.changes), "seed": self.seed, "figures": self.figures, "error": self.error}


@dataclass(frozen=True)
class Summary:
    """All seeds of the same settings; `spread` is the standard deviation of a sample, None for a single seed."""

    changes: Mapping[str, Any]
    seeds: tuple[int, ...]
    mean: Figures
    spread: Mapping[str, float | None]
    failed: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "changes": dict(self.changes),
            "seeds": list(self.seeds),
            "mean": self.mean,
            "spread": dict(self.spread),
            "failed": self.failed,
        }


def summaries(trials: Sequence[Trial]) -> list[Summary]:
    """One for each setting, in the order of their first trials. `seeds` are those that did not fail."""
    by_setting: dict[str, list[Trial]] = {}
    for trial in trials:
        by_setting.setdefault(repr(trial.changes), []).append(trial)
    return [_summary(each) for each in by_setting.values()]


def _summary(trials: Sequence[Trial]) -> Summary:
    done = [trial for trial in trials if not trial.error]
    values = {name: [trial.figures[name] for trial in done if name in trial.figures] for name in FIGURES}
    values = {name: each for name, each in values.items() if each}
    spread = {name: stdev(each) if len(each) > 1 else None for name, each in values.items()}
    means = {name: mean(each) for name, each in values.items()}
    return Summary(trials[0].changes, tuple(trial.seed for trial in done), means, spread, len(trials) - len(done))


def sweep_table(found: Sequence[Summary]) -> Table:
    """A column for each setting, a row for each figure: a terminal has more lines than columns."""
    table = Table(title="Means over seeds, and their standard deviation", title_justify="left", box=None)
    table.add_column("")
    for each in found:
        table.add_column("\n".join(f"{key} = {value}" for key, value in each.changes.items()), justify="right")
    table.add_row("seeds", *(", ".join(map(str, each.seeds)) for each in found))
    if any(each.failed for each in found):
        table.add_row("failed", *(str(each.failed) for each in found))
    for name in FIGURES:
        if any(name in each.mean for each in found):
            table.add_row(name, *(_shown(each, name) for each in found))
    return table


def _shown(found: Summary, name: str) -> str:
    if name not in found.mean:
        return ""
    spread = found.spread[name]
    beside = "" if spread is None else f" [dim]±{spread:.4f}[/dim]"
    return f"{found.mean[name]:.4f}{beside}"
