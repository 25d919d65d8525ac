"""Ranking metrics against the textbook's formulas, one user and one rank at a time."""

import math

import numpy as np
import pytest

from training.metrics import ndcg_at_k, recall_at_k


@pytest.mark.parametrize("k", [1, 3, 10])
def test_metrics_agree_with_the_formulas_written_out(k):
    """Recall and NDCG of random hit lists equal those counted hit by hit."""
    rng = np.random.default_rng(0)
    hits = rng.random((50, 10)) < 0.3
    num_relevant = hits.sum(1) + rng.integers(0, 5, 50) + (hits.sum(1) == 0)
    recall, ndcg = recall_at_k(hits, num_relevant, k), ndcg_at_k(hits, num_relevant, k)
    for user in range(50):
        found = sum(1 for rank in range(k) if hits[user, rank])
        gain = sum(1 / math.log2(rank + 2) for rank in range(k) if hits[user, rank])
        best = sum(1 / math.log2(rank + 2) for rank in range(min(k, num_relevant[user])))
        assert recall[user] == pytest.approx(found / num_relevant[user])
        assert ndcg[user] == pytest.approx(gain / best)


def test_a_perfect_ranking_scores_one_and_an_empty_one_zero():
    """All relevant items first is 1, none among the first k is 0, for both metrics."""
    hits = np.array([[True, True, False], [False, False, False]])
    num_relevant = np.array([2, 2])
    assert recall_at_k(hits, num_relevant, 3).tolist() == [1, 0]
    assert ndcg_at_k(hits, num_relevant, 3).tolist() == [1, 0]


def test_fewer_ranks_than_k_are_as_if_the_rest_missed():
    """A catalogue smaller than k is ranked whole and judged against the same ideal."""
    hits = np.array([[False, True]])
    assert ndcg_at_k(hits, np.array([1]), 20)[0] == pytest.approx(1 / math.log2(3))
