"""Ranking metrics as plain functions of what was hit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hits = NDArray[np.bool_]
Counts = NDArray[np.int64]
PerUser = NDArray[np.float64]


def recall_at_k(hits: Hits, num_relevant: Counts, k: int) -> PerUser:
    """Share of each user's relevant items among the first k, (num_users,).

    Shapes: hits (num_users, >= k), best rank first; num_relevant (num_users,) >= 1.
    """
    recall: PerUser = hits[:, :k].sum(1) / num_relevant
    return recall


def ndcg_at_k(hits: Hits, num_relevant: Counts, k: int) -> PerUser:
    """Normalised discounted cumulative gain of each user with binary relevance (Jarvelin and Kekalainen, 2002).

    DCG = sum over hit ranks r = 1..k of 1 / log2(r + 1), divided by the DCG of min(num_relevant, k) hits at the top.
    Shapes as of `recall_at_k`.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(num_relevant, k) - 1]
    ndcg: PerUser = hits[:, :k] @ discount[: hits.shape[1]] / ideal
    return ndcg
