"""The fold-in map: from what a history's item vectors add up to, to the vectors that training gave such users."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

RIDGE = 1e-4
"""Penalty, as a share of the mean eigenvalue of the regression's Gram matrix."""


def fit_fold_in_map(users: Vectors, items: Vectors, normalized: sp.csr_matrix) -> Vectors:
    """W, (dim, dim) float32, of the ridge regression P W ~ users with P = A items.

    A user's row of P is the sum over the history of v_i / sqrt(n d_i), as NodeEmbeddings.fold_in forms it, so that a
    user never seen in training gets the vector that training would have led to. Each user counts alike: rows are
    weighted by 1 / |user|^2, as ranking does not depend on a user vector's length. Shapes: users (num_users, dim),
    items (num_items, dim), normalized A (num_users, num_items).
    """
    active = np.diff(normalized.indptr) > 0
    x, y = (normalized @ items)[active].astype(np.float64), users[active].astype(np.float64)
    length = np.linalg.norm(y, axis=1, keepdims=True)
    length[length == 0] = 1
    gram = (x / length).T @ (x / length)
    penalty = RIDGE * max(np.trace(gram) / len(gram), np.finfo(float).tiny)
    W = np.linalg.solve(gram + penalty * np.eye(len(gram)), (x / length).T @ (y / length))
    return W.astype(np.float32)
