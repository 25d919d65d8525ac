"""NodeEmbeddings: what the graph and the texts say of every node, and of a history never seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NodeEmbeddings:
    """Vectors of all nodes, in row order, float32.

    Ranking uses the graph vectors alone: score(u, i) = users[u] . items[i]. Tokens are made of the joint vector,
    graph dimensions first, then text dimensions (there may be none).
    """

    users: Vectors
    """(num_users, dim_graph)."""
    items: Vectors
    """(num_items, dim_graph)."""
    item_texts: Vectors
    """(num_items, dim_text), dim_text >= 0."""
    item_degree: NDArray[np.int64]
    """(num_items,): training users of each item."""
    fold_in_map: Vectors
    """(dim_graph, dim_graph): from propagated item vectors to the space of `users`."""

    @property
    def dim_graph(self) -> int:
        """Width of the vectors that rank."""
        return int(self.items.shape[1])

    @property
    def dim_text(self) -> int:
        """Width of the text vectors, 0 where there are none."""
        return int(self.item_texts.shape[1])

    @property
    def dim_joint(self) -> int:
        """Width of the vectors that the tokenizer quantises."""
        return self.dim_graph + self.dim_text

    def fold_in(self, item_rows: ArrayLike, weights: ArrayLike | None = None) -> Vectors:
        """Graph vector, (dim_graph,), of a user who has just this history; zeros for an empty one.

        One step of symmetrically normalised propagation (arXiv:2002.02126, equation 3), then the fitted map:
        p = sum_i w_i v_i / sqrt(n * max(degree_i, 1)), p @ fold_in_map. `weights` (n,) default to 1.
        """
        rows, w = _history(item_rows, weights)
        if not len(rows):
            return np.zeros(self.dim_graph, np.float32)
        w = w / np.sqrt(len(rows) * np.maximum(self.item_degree[rows], 1))
        p: Vectors = w.astype(np.float32) @ self.items[rows]
        return p @ self.fold_in_map

    def user_texts_of(self, item_rows: ArrayLike, weights: ArrayLike | None = None) -> Vectors:
        """Text vector, (dim_text,), of a history: the weighted mean of its items' text vectors; zeros if empty."""
        rows, w = _history(item_rows, weights)
        total = w.sum()
        if not total > 0:
            return np.zeros(self.dim_text, np.float32)
        mean: Vectors = (w / total).astype(np.float32) @ self.item_texts[rows]
        return mean

    def joint_item(self, row: int) -> Vectors:
        """Joint vector, (dim_joint,), of one item."""
        return np.concatenate([self.items[row], self.item_texts[row]])

    def joint_history(self, item_rows: ArrayLike, weights: ArrayLike | None = None) -> Vectors:
        """Joint vector, (dim_joint,), of a user who has just this history."""
        return np.concatenate([self.fold_in(item_rows, weights), self.user_texts_of(item_rows, weights)])


def _history(item_rows: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows = np.asarray(item_rows, np.int64).reshape(-1)
    w = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    if w.shape != rows.shape:
        raise ValueError(f"{len(w)} weights for {len(rows)} items")
    return rows, w
