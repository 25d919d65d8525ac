"""Maximal marginal relevance, held against its formula written out."""

import numpy as np
import pytest

from service.diversity import maximal_marginal_relevance


def _by_hand(vectors, relevance, weight, count) -> list[int]:
    spread = relevance.max() - relevance.min()
    scaled = [(value - relevance.min()) / spread for value in relevance]

    def cosine(a, b) -> float:
        return float(vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b]))

    chosen: list[int] = []
    while len(chosen) < min(count, len(vectors)):
        left = [place for place in range(len(vectors)) if place not in chosen]
        chosen.append(
            max(
                left,
                key=lambda place: (
                    (1 - weight) * scaled[place]
                    - (weight * max(cosine(place, other) for other in chosen) if chosen else 0)
                ),
            )
        )
    return chosen


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.7, 1.0])
def test_the_order_is_the_formulas(weight):
    """Random candidates, chosen one by one in plain Python."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    relevance = np.sort(rng.normal(size=40).astype(np.float32))[::-1]
    found = maximal_marginal_relevance(vectors, relevance, weight, 12)
    assert found.tolist() == _by_hand(vectors, relevance, weight, 12)


def test_weight_zero_keeps_the_order_of_relevance():
    """Even among candidates that are all alike."""
    found = maximal_marginal_relevance(np.ones((4, 2), np.float32), np.array([3, 2, 1, 0], np.float32), 0.0, 4)
    assert found.tolist() == [0, 1, 2, 3]


def test_the_other_direction_comes_second():
    """Two twins and a stranger: with weight, the stranger is put between the twins."""
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert maximal_marginal_relevance(vectors, np.array([3, 2, 1], np.float32), 0.5, 3).tolist() == [0, 2, 1]


@pytest.mark.parametrize("count", [0, 1])
def test_degenerate_candidates_are_ordered_all_the_same(count):
    """None at all; one; zero vectors of equal relevance: places, no NaN."""
    nothing = maximal_marginal_relevance(np.empty((0, 3), np.float32), np.empty(0, np.float32), 0.5, 5)
    assert nothing.tolist() == []
    zeros = maximal_marginal_relevance(np.zeros((2, 3), np.float32), np.ones(2, np.float32), 0.5, count)
    assert zeros.tolist() == list(range(count))
