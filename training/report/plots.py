"""Plots as inline SVG. Letters stay text: they can be searched, and are set in the page's own font."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.report.tables import spoken

INK, MUTED, GRID = "#0f172a", "#64748b", "#e2e8f0"
COLOURS = ("#4338ca", "#d97706", "#059669", "#db2777", "#0284c7", "#7c3aed", "#ca8a04", "#475569")
WIDTH_IN = 4.8
LONGEST_LABEL = 26
"""Letters of a code's name beside the token map."""
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "beat-serve",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
SMOOTHED_OVER = 15
"""Steps whose mean a loss curve shows: single batches hide where it goes."""


def losses(curves: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """NLL per token by step, of the projector and its controls."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(3.2)
        for colour, (name, steps) in zip(COLOURS, curves.items(), strict=False):
            values = np.array([step[0] for step in steps])
            window = min(SMOOTHED_OVER, max(1, len(values) // 4))
            smooth = np.convolve(values, np.ones(window) / window, mode="valid")
            axes.plot(np.arange(1, len(values) + 1), values, color=colour, alpha=0.18, linewidth=0.8)
            axes.plot(np.arange(window, len(values) + 1), smooth, color=colour, linewidth=1.8, label=spoken(name))
        axes.set_xlabel("step")
        axes.set_ylabel("NLL, nats a token")
        if len(curves) > 1:
            axes.legend(loc="upper right")
        return _svg(figure, "Training loss by step")


def codebooks(sides: Mapping[str, Any]) -> str:
    """Perplexity of every level: how many codes it is as good as using evenly."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(3.2)
        for at, (colour, (side, report)) in enumerate(zip(COLOURS, sides.items(), strict=False)):
            levels = np.arange(len(report["perplexity"]))
            bars = axes.bar(levels + (at - 0.5) * 0.38, report["perplexity"], 0.36, color=colour, label=f"{side} codes")
            idle = [f"{share:.0%} used" if share < 1 else "" for share in report["usage"]]
            axes.bar_label(bars, idle, fontsize=7, color=MUTED, padding=2)
        axes.set_xticks(levels, ["macro", *(f"micro {level}" for level in levels[1:])])
        axes.set_ylabel("perplexity")
        axes.grid(visible=False, axis="x")
        axes.legend(loc="upper right")
        return _svg(figure, "Perplexity and usage of every codebook level")


def margins(intervals: Mapping[str, Mapping[str, float]]) -> str:
    """Swap margins with their intervals, one line each, against nothing."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(0.5 + 0.27 * len(intervals))
        places = np.arange(len(intervals))[::-1]
        axes.axvline(0, color=MUTED, linewidth=1)
        for place, each in zip(places, intervals.values(), strict=True):
            sure = each["low"] > 0 or each["high"] < 0
            colour = COLOURS[0] if sure else MUTED
            axes.plot([each["low"], each["high"]], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot(each["mean"], place, "o", color=colour, markersize=5)
        axes.set_yticks(places, list(intervals))
        axes.set_ylim(-0.6, len(intervals) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("swapped minus own, nats a token", loc="right")
        return _svg(figure, "Swap margins with 95 % intervals")


def token_map(told: Mapping[str, Any]) -> str:
    """Items in two dimensions; those of the largest macro codes in colour, the others grey."""
    points, codes = np.array(told["points"]), told["codes"]
    with mpl.rc_context(STYLE):
        figure, axes = _axes(4.4)
        axes.axis("off")
        rest = points[points[:, 2] < 0]
        axes.scatter(rest[:, 0], rest[:, 1], s=5, color="#cbd5e1", linewidths=0, label="other codes")
        for at, code in enumerate(codes):
            own = points[points[:, 2] == at]
            short = textwrap.shorten(code["label"], LONGEST_LABEL, placeholder=" …")  # two must stand side by side
            label = f"{short} ({code['items']})".replace("$", r"\$")  # a pair of them would be set as formula
            axes.scatter(own[:, 0], own[:, 1], s=13, color=COLOURS[at % len(COLOURS)], linewidths=0, label=label)
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, fontsize=8, handletextpad=0.1, columnspacing=1
        )
        return _svg(figure, "Items in two dimensions by macro code")


def _axes(height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def _svg(figure: Figure, title: str) -> str:
    """The figure as an element for a page, as wide as what holds it; no XML head, no date."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    body = file.getvalue()
    head, rest = body[body.index("<svg") :].split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    return f'{head} role="img" aria-label="{title}">{rest}'
