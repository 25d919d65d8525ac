"""Searching titles, held against what a plain loop finds."""

import numpy as np
import pytest

from service.text_search import TextSearch

TITLES = ["The Wolf", "wolf  Pack", "Werewolf", "A (Wolf) Too", "Lamb", "", "Straße", "Wol", "f"]
ROWS = np.arange(len(TITLES)) + 10


@pytest.fixture
def search() -> TextSearch:
    return TextSearch(TITLES, ROWS)


def test_beginnings_come_before_words_and_words_before_anything(search):
    """Each title once, although two classes hold it."""
    assert search.find("wolf", 10) == [11, 10, 13, 12]


@pytest.mark.parametrize(
    "query", ["wolf", "WOLF", " wolf  ", "e w", "pack", "lamb", "STRASSE", "o", "e", "nothing", "\n"]
)
def test_all_that_hold_the_query_are_found_and_nothing_else(search, query):
    """Whatever the case and the spaces; a query never spans two titles."""
    wanted = " ".join(query.casefold().split())
    holding = {row for row, title in zip(ROWS, TITLES, strict=True) if wanted in " ".join(title.casefold().split())}
    assert set(search.find(query, 100)) == holding


def test_the_limit_holds_and_an_empty_query_finds_the_first(search):
    """In the order given at the start."""
    assert search.find("", 3) == [10, 11, 12]
    assert search.find("wolf", 2) == [11, 10]


def test_no_texts_find_nothing():
    """An empty catalogue is searched like any other."""
    assert TextSearch([], np.empty(0, np.int64)).find("a", 5) == []
