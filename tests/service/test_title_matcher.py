"""Titles in texts: the ones that are named, and the words that only look like one."""

import time

import pytest

from service.title_matcher import TitleMatcher

TITLES = (
    "Toy Story (1995)",
    "Heat (1995)",
    "Alien (1979)",
    "Alien: Resurrection (1997)",
    "Star Wars: Return of the Jedi (1983)",
    "Star Wars (1977)",
    "Schindler's List (1993)",
    "As Good as It Gets (1997)",
    "good time",
    "101 Dalmatians (1996)",
    "Science Fiction",
    "Amélie",
    "(1984)",
    "",
    "!!!",
    "One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen",
)


@pytest.fixture(scope="module")
def matcher() -> TitleMatcher:
    return TitleMatcher(TITLES, ordinary=("Science Fiction", "Drama"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("It has the charm of Toy Story.", "Toy Story (1995)"),
        ("You liked Toy Story (1995), too.", "Toy Story (1995)"),
        ("Toy Story's humour", "Toy Story (1995)"),
        ("fans of Schindler\u2019s List agree", "Schindler's List (1993)"),
        ("with 101 Dalmatians in it", "101 Dalmatians (1996)"),
        ("much as As Good as It Gets does", "As Good as It Gets (1997)"),
        ('it is like "heat" to you', "Heat (1995)"),
        ("it is like \u201cAlien.\u201d", "Alien (1979)"),
        ("it is like 'Amélie'!", "Amélie"),
        ("it is like *Heat*, slower", "Heat (1995)"),
        ('"Science fiction," they say', "Science Fiction"),
        ("One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen", TITLES[-1]),
        ("a toy story for children", None),
        ("the ToyStory of Toy Stories", None),
        ("Heat and alien beings", None),
        ("it is as good as it gets, a good time", None),
        ("You like Science Fiction.", None),
        ("", None),
        ('"" "" (1984) !!!', None),
    ],
)
def test_a_title_is_named_where_its_words_are_no_ordinary_ones(matcher, text, named):
    """Several capitalised words, or quotation marks; word boundaries; years and possessives do not matter."""
    assert matcher.other(text, ()) == named


def test_the_asked_title_and_the_evidence_may_be_named(matcher):
    """And what is a part of their mention; what goes beyond it may not."""
    allowed = ("Star Wars: Return of the Jedi (1983)", "Alien (1979)")
    assert matcher.other("Like Star Wars: Return of the Jedi, and 'Alien'.", allowed) is None
    assert matcher.other("Like Star Wars.", allowed) == "Star Wars (1977)"
    assert matcher.other("Like Alien: Resurrection.", allowed) == "Alien: Resurrection (1997)"
    assert matcher.other("Like Alien: Resurrection.", (*allowed, "Alien: Resurrection")) is None


def test_a_large_catalogue_costs_milliseconds_a_text():
    """Fifty thousand titles, a text of two hundred words; only one of them is there."""
    titles = [f"Tale {number} of the Red {number * 7} Wolves" for number in range(50_000)]
    large = TitleMatcher(titles)
    text = "It is a slow and gentle story about Wolves and the Red sea. " * 16
    started = time.perf_counter()
    assert large.other(f"{text} As Tale 31 of the Red 217 Wolves.", ()) == titles[31]
    assert time.perf_counter() - started < 0.1
