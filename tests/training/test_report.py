"""The page: everything that a report holds is on it, nothing of it is markup, and it asks nothing of the network."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from training.report import page
from training.report.tables import decimal, quintiles, table, tables

EVIL = '<script>alert("x")</script><img src=http://evil.example/x>'


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}


def report() -> dict[str, Any]:
    """A report with every part, untrusted texts wherever texts may stand."""
    form = {
        "nll": {"true": 2.9, "identity_free": 3.0},
        "swap_margin": {swap: interval(0.125) for swap in ("user", "item", "both")},
        "gain": {"tokens": interval(0.1), "profile": interval(0.2), "share": interval(0.5)},
    }
    arms = {arm: {"rows": 2, "cosine": interval(0.5), "bleu": 0.25} for arm in ("true", "reference", EVIL)}
    return {
        "name": EVIL,
        "ranking": {"test": {"vectors": {"recall@20": 0.2}, "tokens only": {"recall@20": 0.19}}},
        "explanations": {
            "rows": 10,
            "tokens_only": form,
            "margins_by_group": {EVIL: {"rows": 5, "item_swap_margin": interval(0.1)}},
            "texts": {"rows": 2, "encoder": EVIL, "pool": 9, "arms": arms, "against": {}, "tone": {}},
        },
        "examples": [
            {
                "title": EVIL,
                "about": EVIL,
                "liked_before": [EVIL],
                "tokens": {"user": [EVIL], "item": [EVIL]},
                "texts": {"reference": EVIL, "true": EVIL, "both": EVIL},
            }
        ],
        "codebooks": {side: {"usage": [1.0] * 6, "perplexity": [9.0] * 6, "unique": 0.99} for side in ("user", "item")},
        "token_map": {
            "codes": [{"code": 3, "label": f"$x$ {EVIL}", "items": 2}],
            "points": [[float(x), float(x * x), -1 if x % 2 else 0] for x in range(9)],
        },
        "projector_losses": [[3.0 - step / 50, 0.1] for step in range(40)],
        "zero_shot": {"users": {"kept": {"seen": 0.81}}},
        "config": {"name": EVIL},
        "machine": {"cores": 2},
    }


def test_untrusted_texts_are_never_markup():
    """Wherever a text comes from, its signs are escaped: in tables, examples, plots and the config."""
    html = page(report())
    assert "alert(" in html
    assert "<script" not in html
    assert "<img" not in html


def test_long_names_leave_the_token_map_its_room():
    """Eight codes of three phrases each: names are cut, where they would push the map out of its figure (a warning)."""
    told = report()
    label = "las palmas mexican restaurant, juan's flying burrito, near bourbon street"
    told["token_map"]["codes"] = [{"code": at, "label": f"{at} {label}", "items": 1234} for at in range(8)]
    html = page(told)
    assert "0 las palmas mexican … (1234)" in html
    assert label not in html


class Addresses(HTMLParser):
    """What the attributes of a page's elements would load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or "" for name, value in attrs if name.split(":")[-1] in ("src", "href", "srcset", "action")
        ]


def test_it_asks_nothing_of_the_network():
    """No source, no link, no import: every address is a place on the page itself."""
    html = page(report())
    addresses = Addresses()
    addresses.feed(html)
    assert addresses.found
    assert all(address.startswith("#") for address in addresses.found)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_every_part_is_there():
    """Headlines, three plots and figures of stages that the page knows nothing about."""
    html = page(report())
    assert "95%" in html
    assert "+0.125" in html
    assert html.count("<svg") == 4
    assert "0.810" in html
    assert "identity-free control" in html


@pytest.mark.parametrize("part", list(report()))
def test_what_is_not_there_is_not_shown(part):
    """Each part may be missing, and all of them together."""
    whole = report()
    del whole[part]
    assert "</html>" in page(whole)
    assert "</html>" in page({})


def test_the_same_report_is_the_same_page():
    assert page(report()) == page(report())


def test_leaked_figures_are_marked_on_every_table_and_headline():
    html = page({**report(), "leaks_allowed": True})
    assert "They prove nothing" in html
    assert html.count(">leaked<") >= html.count("<table") + html.count("<strong>")


def test_figures_side_by_side_are_one_table():
    """Entries with figures are rows; what is nested deeper becomes a table of its own."""
    nested = {"a": {"x": 1, "deep": {"b": {"y": 2.5}}}, "c": {"x": 3, "z": interval(0.5)}}
    first, second = tables("T", nested)
    assert first.heads == ("", "x", "z")
    assert first.rows == (("a", "1", ""), ("c", "3", "0.500 (0.490 to 0.510)"))
    assert (second.caption, second.heads, second.rows) == ("T: a: deep", ("", "y"), (("b", "2.500"),))


def test_activity_bins_are_columns():
    arms = {"vectors": {"by_activity": [{"history": [1, 3], "recall@20": 0.1}, {"history": [4, 9], "recall@20": 0.2}]}}
    found = quintiles("T", arms, "recall@20")
    assert found is not None
    assert found.heads == ("training history", "1-3 items", "4-9 items")
    assert found.rows == (("vectors", "0.100", "0.200"),)
    assert quintiles("T", {"vectors": {}}, "recall@20") is None


def test_numbers_are_as_exact_as_they_are_long():
    assert [decimal(value) for value in (0.12345, -0.5, 12.3456, 305.456)] == ["0.123", "\u22120.500", "12.35", "305.5"]
    assert table("T", {"row": {"count": 13047}}).rows == (("row", "13,047"),)
