"""Quantizers: vectors <-> codes of a learned codebook.

Quantisation is additive: x ~ macro[k0] + micro[0][k1] + ... + micro[4][k5], encoded greedily, coarse to fine
(arXiv:2107.03312, algorithm 1; ADR 0002). Each level may look at the residual through weights of its own, so that one
level can tell nodes apart by the graph and another by their texts (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint16]

_CHUNK_ROWS = 1024  # x codebook_size floats of scores at a time: they stay in the processor's cache
_ROUNDING = np.float32(8 * np.finfo(np.float32).eps)


@dataclass(frozen=True, eq=False)
class MacroQuantizer:
    """The coarse level: one code, the interest."""

    codebook: Vectors
    """(codebook_size, dim) float32."""
    weights: Vectors | None = None
    """(dim,) float32, on differences: what this level looks at; all alike where there are none."""

    def encode(self, x: Vectors) -> Codes:
        """Nearest codeword of each vector. Shapes: x (n, dim) -> codes (n,) uint16. ValueError unless finite."""
        codes = np.empty(len(x), np.uint16)
        for rows in _chunks(x):
            codes[rows] = self._seen.nearest(_finite(x[rows]))
        return codes

    def decode(self, codes: NDArray[np.integer]) -> Vectors:
        """Codewords. Shapes: codes (n,) -> (n, dim)."""
        codewords: Vectors = self.codebook[codes]
        return codewords

    @cached_property
    def _seen(self) -> _Seen:
        return _Seen.of(self.codebook, self.weights)  # kept: for a single node it would be most of the work


@dataclass(frozen=True, eq=False)
class MicroQuantizer:
    """The fine levels: what the macro code leaves, as intents."""

    codebooks: Vectors
    """(5, codebook_size, dim) float32."""
    weights: Vectors | None = None
    """(5, dim) float32, a row for each level."""

    def encode(self, residual: Vectors) -> Codes:
        """Codes of residuals, level after level. Shapes: residual (n, dim) -> codes (n, 5) uint16."""
        codes = np.empty((len(residual), len(self.codebooks)), np.uint16)
        for rows in _chunks(residual):
            left = _finite(residual[rows])
            for level, seen in enumerate(self._seen):
                codes[rows, level] = seen.nearest(left)
                left = left - self.codebooks[level][codes[rows, level]]
        return codes

    def decode(self, codes: NDArray[np.integer]) -> Vectors:
        """Sums of codewords. Shapes: codes (n, 5) -> (n, dim)."""
        return summed(self.codebooks, codes)

    @cached_property
    def _seen(self) -> tuple[_Seen, ...]:
        weights = [None] * len(self.codebooks) if self.weights is None else list(self.weights)
        return tuple(_Seen.of(codebook, own) for codebook, own in zip(self.codebooks, weights, strict=True))


@dataclass(frozen=True, eq=False)
class _Seen:
    """A codebook as its level sees it: the dimensions that count, weighted. Shapes: codebook (codebook_size, dims)."""

    dims: NDArray[np.int64] | slice
    weights: Vectors | np.float32
    codebook: Vectors
    squared: Vectors

    @classmethod
    def of(cls, codebook: Vectors, weights: Vectors | None) -> _Seen:
        dims = slice(None) if weights is None else np.flatnonzero(weights)
        counted = np.float32(1) if weights is None else weights[dims]
        seen = np.ascontiguousarray(codebook[:, dims] * counted)
        return cls(dims, counted, seen, np.einsum("kd,kd->k", seen, seen))

    def nearest(self, x: Vectors) -> Codes:
        """Codes of vectors (n, dim), whole ones."""
        return _nearest(x[:, self.dims] * self.weights, self.codebook, self.squared)


def summed(codebooks: Vectors, codes: NDArray[np.integer]) -> Vectors:
    """What the codes of each node add up to. Shapes: codebooks (levels, codebook_size, dim), codes (n, levels)."""
    total = np.zeros((len(codes), codebooks.shape[-1]), np.float32)
    for level, codebook in enumerate(codebooks):
        total += codebook[codes[:, level]]
    return total


def _chunks(x: Vectors) -> Iterator[slice]:
    return (slice(start, start + _CHUNK_ROWS) for start in range(0, len(x), _CHUNK_ROWS))


def _finite(x: Vectors) -> Vectors:
    x = np.ascontiguousarray(x, np.float32)
    if not np.isfinite(x).all():
        raise ValueError("only finite vectors can be encoded")
    return x


def _nearest(x: Vectors, codebook: Vectors, squared: Vectors) -> Codes:
    """Codes that minimise |x - c_k|^2, that is |c_k|^2 - 2 x.c_k.

    Shapes: x (n, dim), codebook (codebook_size, dim), squared (codebook_size,): |c_k|^2 -> codes (n,).
    """
    scores = x @ codebook.T  # (n, codebook_size)
    scores *= -2
    scores += squared
    codes: NDArray[np.int64] = scores.argmin(-1)
    # A matrix product rounds differently with the number of its rows. Codewords closer together than that are
    # compared again, exactly, so that a node gets the same codes alone and in any batch.
    reach = np.sqrt(squared.max())
    norms = np.sqrt(np.einsum("nd,nd->n", x, x))
    tolerance = _ROUNDING * np.sqrt(x.shape[1]) * reach * (norms + reach)
    near = scores <= (scores[np.arange(len(x)), codes] + tolerance)[:, None]
    if np.count_nonzero(near) > len(x):
        for row in np.flatnonzero(np.count_nonzero(near, axis=-1) > 1):
            candidates = np.flatnonzero(near[row])
            gaps = codebook[candidates].astype(np.float64) - x[row]
            codes[row] = candidates[(gaps * gaps).sum(-1).argmin()]
    return codes.astype(np.uint16)
