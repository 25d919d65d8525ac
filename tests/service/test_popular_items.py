"""The catalogue by popularity."""

import numpy as np
import pytest

from service.popular_items import PopularItems

NOTHING = np.empty(0, np.int64)


@pytest.fixture
def popular() -> PopularItems:
    return PopularItems(np.array([3, 9, 0, 9, 5]))


def test_the_most_had_come_first_and_ties_keep_the_order_of_rows(popular):
    """Scores are the counts."""
    best = popular.best(4, NOTHING)
    assert best.rows.tolist() == [1, 3, 4, 0]
    assert best.scores.tolist() == [9, 9, 5, 3]


@pytest.mark.parametrize("allowed", [None, np.ones(5, np.bool_)])
def test_excluded_items_are_passed_over(popular, allowed):
    """With a filter and without, one of them named twice; what is left may be fewer than asked."""
    assert popular.best(2, np.array([1, 4, 1]), allowed).rows.tolist() == [3, 0]
    assert popular.best(9, np.array([1, 4]), allowed).rows.tolist() == [3, 0, 2]


def test_only_allowed_items_come(popular):
    """In the same order."""
    allowed = np.array([True, False, True, True, False])
    assert popular.best(2, NOTHING, allowed).rows.tolist() == [3, 0]
    assert popular.best(2, np.array([3]), allowed).rows.tolist() == [0, 2]
