"""Vector metrics against an independent count, and against chance where nothing is known."""

from itertools import combinations

import numpy as np
import pytest

from training.sentence_metrics import bertscore_f1, identification, row_cosines


def unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), np.float32)


def test_greedy_matching_takes_the_best_of_each_token():
    """Two tokens of which one is matched whole, against three of which one is: precision 1/2, recall 1/3."""
    axes = np.eye(4, dtype=np.float32)
    assert bertscore_f1(axes[[0, 1]], axes[[0, 2, 3]]) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert bertscore_f1(axes[:2], axes[:2]) == pytest.approx(1)
    assert bertscore_f1(axes[:0], axes[:2]) == 0
    assert bertscore_f1(axes[:1], axes[1:]) == 0


def test_rows_are_compared_with_rows():
    rng = np.random.default_rng(0)
    a, b = unit(rng.normal(size=(5, 8))), unit(rng.normal(size=(5, 8)))
    np.testing.assert_allclose(row_cosines(a, b), np.diag(a @ b.T), rtol=1e-5)


def test_the_chance_to_be_found_is_that_of_all_draws():
    """Among 3 of a pool of 6: the share of all pairs of others that hold none more similar."""
    similarities = np.array([[0.5, 0.9, 0.1, 0.2, 0.6, 0.3]], np.float32)
    others = similarities[0, 1:]
    draws = [all(value < 0.5 for value in pair) for pair in combinations(others, 2)]
    assert identification(similarities, np.array([0]), 3)[0] == pytest.approx(np.mean(draws))


def test_the_best_is_always_found_and_a_text_that_says_nothing_never():
    similarities = np.array([[0.9, 0.1, 0.2], [0.4, 0.4, 0.4]], np.float32)
    assert identification(similarities, np.array([0, 1]), 2).tolist() == [1, 0]


def test_random_texts_find_their_item_by_chance():
    """4,000 texts that know nothing: .10 among 10, .01 among 100."""
    similarities = np.random.default_rng(0).normal(size=(4000, 150)).astype(np.float32)
    own = np.random.default_rng(1).integers(0, 150, 4000)
    assert identification(similarities, own, 10).mean() == pytest.approx(0.10, abs=0.015)
    assert identification(similarities, own, 100).mean() == pytest.approx(0.01, abs=0.006)
