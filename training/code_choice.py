"""Codes chosen anew, so that a node keeps its scores with the nodes it is ranked among the best with.

Residual k-means gives every node the nearest codeword of one level after the other: what is lost is spread over all
scores alike. Of the millions of other combinations of the same codewords some lose less of the few scores that decide a
ranking (ADR 0012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_store.embeddings import Vectors
from model_store.quantizer import Codes

NUM_BEST = 100
"""Partners of a node whose scores are kept: those with the highest."""
PASSES = 2
"""Over the levels, for each node."""
SPREAD = 500.0
"""How many partners at random count as much: without them, others would rise above the best."""
CHUNK = 64
"""Nodes at a time: bounds memory at some 0.1 GB."""
MOST_NODES = 100_000
"""Of a side; larger ones keep the nearest codes. A core takes six milliseconds a node."""


@dataclass(frozen=True, eq=False)
class Partners:
    """The other side: its vectors, and what its codes tell of them. Shapes: (m, dim) each."""

    vectors: Vectors
    decoded: Vectors


def chosen_codes(x: Vectors, codes: Codes, addends: Vectors, partners: Partners, levels: Sequence[int]) -> Codes:
    """Codes that keep every node's scores, chosen level by level with the others held.

    They minimise the squared error of its scores with its NUM_BEST partners, plus SPREAD times the mean squared error
    with all. Codes of other than these levels stay.
    Shapes: x (n, dim), codes (n, 6), addends (6, codebook_size, dim) -> (n, 6).
    """
    found = codes.copy()
    if len(x) > MOST_NODES:
        return found
    moments = partners.decoded.T @ partners.decoded / len(partners.decoded)
    values, axes = np.linalg.eigh(moments)
    root = (axes * np.sqrt(SPREAD * np.maximum(values, 0))).astype(np.float32)  # |x @ root|^2: SPREAD mean scores^2
    for start in range(0, len(x), CHUNK):
        rows = slice(start, start + CHUNK)
        found[rows] = _choose(x[rows], found[rows], addends, partners, root, levels)
    return found


def _choose(
    x: Vectors, codes: Codes, addends: Vectors, partners: Partners, root: Vectors, levels: Sequence[int]
) -> Codes:
    scores = x @ partners.vectors.T
    count = min(NUM_BEST, scores.shape[1])
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    shown = partners.decoded[best]  # (b, count, dim)
    decoded = addends[np.arange(codes.shape[1]), codes].sum(axis=1)
    left = np.take_along_axis(scores, best, axis=1) - np.einsum("bkd,bd->bk", shown, decoded)
    wide_left = (x - decoded) @ root
    told = {level: shown @ addends[level].T for level in levels}  # (b, count, codebook_size)
    wide = {level: addends[level] @ root for level in levels}  # (codebook_size, dim)
    sizes = {
        level: np.einsum("bks,bks->bs", told[level], told[level]) + np.square(wide[level]).sum(axis=1)
        for level in levels
    }
    nodes = np.arange(len(x))
    for _ in range(PASSES):
        for level in levels:
            left += told[level][nodes, :, codes[:, level]]
            wide_left += wide[level][codes[:, level]]
            inner = np.einsum("bk,bks->bs", left, told[level]) + wide_left @ wide[level].T
            codes[:, level] = np.argmin(sizes[level] - 2 * inner, axis=1)
            left -= told[level][nodes, :, codes[:, level]]
            wide_left -= wide[level][codes[:, level]]
    return codes
