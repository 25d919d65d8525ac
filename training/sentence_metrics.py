"""What can be said of texts by their vectors: closeness to a reference, and whose item they speak of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]


def bertscore_f1(text: Vectors, reference: Vectors) -> float:
    """F1 of greedy token matching (arXiv:1904.09675), neither weighted by rarity nor rescaled; 0 for an empty text.

    Shapes: text (num_tokens, dim), reference (num_tokens', dim), all of length 1.
    """
    if not len(text) or not len(reference):
        return 0.0
    cosines = text @ reference.T
    precision, recall = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def row_cosines(a: Vectors, b: Vectors) -> Scores:
    """Cosine of each row of a with the same row of b, (n,). Shapes: a, b (n, dim), rows of length 1."""
    return np.asarray((a * b).sum(axis=1), np.float64)


def identification(similarities: Vectors, own: NDArray[np.int64], among: int) -> Scores:
    """Chance of each text that its own item is the most similar among itself and `among - 1` others, (n,).

    The others are drawn from the pool without replacement; the chance is exact (hypergeometric), so no draw adds noise.
    An item that is just as similar counts as more similar: a text that says nothing finds nothing.
    Shapes: similarities (n, pool), own (n,) columns of the pool; pool >= among.
    """
    others = similarities.shape[1] - 1
    mine = similarities[np.arange(len(own)), own]
    better = (similarities >= mine[:, None]).sum(axis=1) - 1  # itself is one of them
    chance = np.ones(len(own))
    for drawn in range(among - 1):
        chance *= np.maximum(others - better - drawn, 0) / (others - drawn)
    return chance
