"""Decode tables: what each code adds to the vectors of the nodes that have it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import Vectors
from model_store.quantizer import Codes

PULL = 3.0
"""Nodes of mean weight that a code counts as having at its codeword: codes of few nodes stay near it."""
MOST_DIRECT = 8192
"""Codes of all levels up to which the normal equations are solved at once, in 0.3 GB; beyond, by iteration."""


def code_means(x: Vectors, codes: NDArray[np.integer], codebook_size: int) -> Vectors:
    """Mean of each code's members, zero for a code without any. Shapes: x (n, dim), codes (n,) -> (size, dim)."""
    members = sp.csr_matrix((np.ones(len(codes), np.float32), (codes, np.arange(len(codes)))), (codebook_size, len(x)))
    counts = np.maximum(np.bincount(codes, minlength=codebook_size), 1)
    return np.asarray((members @ x) / counts[:, None], np.float32)


def decode_table(
    x: Vectors, codes: Codes, side: SideTokenizer, weights: NDArray[np.number], *, most_direct: int = MOST_DIRECT
) -> Vectors:
    """What minimises sum_n w_n |x_n - sum_l table[l, codes[n, l]]|^2, near the side's codewords; float32.

    Residual k-means fits each level to what the levels before it leave; here all levels are fitted together, with the
    codes as they are. Weights are brought to mean 1. `most_direct`: MOST_DIRECT.
    Shapes: x (n, dim), codes (n, levels), weights (n,) -> (levels, codebook_size, dim).
    """
    codebooks = np.concatenate([side.macro.codebook[None], side.micro.codebooks])
    levels, size, dim = codebooks.shape
    columns = codes + np.arange(levels) * size
    has = sp.csr_matrix(
        (np.ones(columns.size, np.float32), columns.ravel(), np.arange(0, columns.size + 1, levels)),
        shape=(len(x), levels * size),
    )
    left = x - has @ codebooks.reshape(-1, dim)
    solver = "cholesky" if levels * size <= most_direct else "sparse_cg"
    ridge = Ridge(PULL, fit_intercept=False, solver=solver)
    ridge.fit(has, left, sample_weight=np.asarray(weights / np.mean(weights), np.float32))
    return np.asarray(codebooks + ridge.coef_.T.reshape(codebooks.shape), np.float32)
