"""What a sweep shows: figures that a report has, means and spreads over seeds."""

from io import StringIO

import pytest
from rich.console import Console

from training.sweep_figures import Trial, headline, summaries, sweep_table

REPORT = {
    "ranking": {"test": {"vectors": {"recall@20": 0.2}, "tokens only": {"recall@20": 0.15}}},
    "codebooks": {
        "user": {"usage": [1, 0.5], "perplexity": [8, 3]},
        "item": {"usage": [1, 1], "perplexity": [8, 7], "lift": [9, None, 1.5]},
    },
}


def test_a_report_that_stopped_before_the_llm_has_the_figures_of_tokens():
    """Shares and least values follow from what is there; what is not there is left out."""
    assert headline(REPORT) == pytest.approx(
        {
            "Recall@20 vectors": 0.2,
            "tokens": 0.15,
            "kept": 0.75,
            "least usage": 0.5,
            "least perplexity": 3,
            "best micro lift": 1.5,
        }
    )


def test_seeds_of_a_setting_are_put_together():
    """Mean and sample deviation over seeds; one seed has no spread, a failed one no figures."""
    trials = [
        Trial({"k": 1}, 0, {"kept": 0.8}),
        Trial({"k": 2}, 0, {"kept": 0.5}),
        Trial({"k": 1}, 1, {"kept": 0.9}),
        Trial({"k": 2}, 1, {}, "collapsed"),
    ]
    one, two = summaries(trials)
    assert (one.changes, one.seeds, one.failed) == ({"k": 1}, (0, 1), 0)
    assert one.mean["kept"] == pytest.approx(0.85)
    assert one.spread["kept"] == pytest.approx(0.05 * 2**0.5)
    assert (two.seeds, two.failed, two.mean, two.spread) == ((0,), 1, {"kept": 0.5}, {"kept": None})
    console = Console(width=100, record=True, file=StringIO())
    console.print(sweep_table([one, two]))
    told = console.export_text()
    assert "k = 1" in told
    assert "0.8500 ±0.0707" in told
    assert "failed" in told
