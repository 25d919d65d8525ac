"""Quantizers: vectors <-> codes of a learned codebook.

Quantisation is additive: x ~ macro[k0] + micro[0][k1] + ... + micro[4][k5], encoded greedily, coarse to fine
(arXiv:2107.03312, algorithm 1; ADR 0002).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint16]

_CHUNK_ROWS = 1024  # x codebook_size floats of scores at a time: they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class MacroQuantizer:
    """The coarse level: one code, the interest. Shape: codebook (codebook_size, dim) float32."""

    codebook: Vectors

    def encode(self, x: Vectors) -> Codes:
        """Nearest codeword of each vector. Shapes: x (n, dim) -> codes (n,) uint16. ValueError unless finite."""
        codes = np.empty(len(x), np.uint16)
        for rows in _chunks(x):
            codes[rows] = _nearest(_finite(x[rows]), self.codebook)
        return codes

    def decode(self, codes: NDArray[np.integer]) -> Vectors:
        """Codewords. Shapes: codes (n,) -> (n, dim)."""
        codewords: Vectors = self.codebook[codes]
        return codewords


@dataclass(frozen=True, eq=False)
class MicroQuantizer:
    """The fine levels: what the macro code leaves, as intents. Shape: codebooks (5, codebook_size, dim) float32."""

    codebooks: Vectors

    def encode(self, residual: Vectors) -> Codes:
        """Codes of residuals, level after level. Shapes: residual (n, dim) -> codes (n, 5) uint16."""
        codes = np.empty((len(residual), len(self.codebooks)), np.uint16)
        for rows in _chunks(residual):
            left = _finite(residual[rows])
            for level, codebook in enumerate(self.codebooks):
                codes[rows, level] = _nearest(left, codebook)
                left = left - codebook[codes[rows, level]]
        return codes

    def decode(self, codes: NDArray[np.integer]) -> Vectors:
        """Sums of codewords. Shapes: codes (n, 5) -> (n, dim)."""
        total = np.zeros((len(codes), self.codebooks.shape[-1]), np.float32)
        for level, codebook in enumerate(self.codebooks):
            total += codebook[codes[:, level]]
        return total


def _chunks(x: Vectors) -> Iterator[slice]:
    return (slice(start, start + _CHUNK_ROWS) for start in range(0, len(x), _CHUNK_ROWS))


def _finite(x: Vectors) -> Vectors:
    x = np.ascontiguousarray(x, np.float32)
    if not np.isfinite(x).all():
        raise ValueError("only finite vectors can be encoded")
    return x


def _nearest(x: Vectors, codebook: Vectors) -> Codes:
    """argmin_k |x - c_k|^2 = argmin_k |c_k|^2 - 2 x.c_k. Shapes: x (n, dim) -> (n,)."""
    squared = np.einsum("kd,kd->k", codebook, codebook)
    scores = x @ codebook.T  # (n, codebook_size)
    scores *= -2
    scores += squared
    codes: NDArray[np.int64] = scores.argmin(-1)
    best = scores[np.arange(len(x)), codes]
    # A matrix product rounds differently with the number of its rows. Codewords closer together than that are
    # compared again, exactly, so that a node gets the same codes alone and in any batch.
    norms = np.sqrt(np.einsum("nd,nd->n", x, x))
    reach = np.sqrt(squared.max())
    tolerance = 8 * np.finfo(np.float32).eps * np.sqrt(x.shape[1]) * reach * (norms + reach)
    near = scores <= (best + tolerance)[:, None]
    for row in np.flatnonzero(near.sum(-1) > 1):
        candidates = np.flatnonzero(near[row])
        gaps = codebook[candidates].astype(np.float64) - x[row]
        codes[row] = candidates[(gaps * gaps).sum(-1).argmin()]
    return codes.astype(np.uint16)
