"""NodeEmbeddings: what the graph and the texts say of every node, and of a history never seen before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vectors = NDArray[np.float32]


class ClosestItems(NamedTuple):
    """Items by closeness. Shapes: rows (n,) item rows, cosines (n,), falling."""

    rows: NDArray[np.integer]
    cosines: Vectors


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
        """Text vector, (dim_text,), of a history: the direction of its items' weighted sum, as long as an item's.

        A mean would shrink with every item, and long histories would be tokenised by the graph alone. Zeros if empty.
        """
        rows, w = _history(item_rows, weights)
        total: Vectors = w.astype(np.float32) @ self.item_texts[rows]
        norm = float(np.linalg.norm(total))
        return total * np.float32(self.text_length / norm) if norm > 0 else np.zeros(self.dim_text, np.float32)

    @cached_property
    def text_length(self) -> float:
        """Length of the longest item text vector; training gives all of them the same."""
        squares = np.einsum("nd,nd->n", self.item_texts, self.item_texts)
        return float(np.sqrt(squares.max(initial=0.0)))

    def joint_item(self, row: int) -> Vectors:
        """Joint vector, (dim_joint,), of one item."""
        return np.concatenate([self.items[row], self.item_texts[row]])

    def joint_history(self, item_rows: ArrayLike, weights: ArrayLike | None = None) -> Vectors:
        """Joint vector, (dim_joint,), of a user who has just this history; the graph part at length 1.

        A user's length changes no ranking: tokens need not tell it.
        """
        graph = unit_rows(self.fold_in(item_rows, weights)[None])[0]
        return np.concatenate([graph, self.user_texts_of(item_rows, weights)])


def scan_depth(depth: int) -> int:
    """Items that a scan of shortened vectors gives so that the best `depth` are among them; whole ones then decide."""
    return depth + depth // 2 + 50


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Every row at length 1, zero rows as they are. Shapes: (n, dim) -> (n, dim)."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(
        vectors, norms, out=np.zeros(vectors.shape, np.float32), where=norms > 0, casting="same_kind"
    )
    return unit


def closest_items(embeddings: NodeEmbeddings, rows: NDArray[np.integer], item_row: int, count: int) -> ClosestItems:
    """The `count` of `rows` closest to an item, best first; `item_row` itself and those that point away are left out.

    What the service shows as evidence and what training writes into prompts is chosen here, so that both are the same.
    """
    candidates = np.unique(rows[rows != item_row])
    cosines = joint_cosines(embeddings, candidates, item_row)
    best = np.argsort(-cosines, kind="stable")[:count]
    best = best[cosines[best] > 0]
    return ClosestItems(candidates[best], cosines[best])


def joint_cosines(embeddings: NodeEmbeddings, rows: NDArray[np.integer], item_row: int) -> Vectors:
    """Cosines between one item and others in the joint space (graph dimensions, then text); 0 for a zero vector.

    Shapes: rows (n,) -> (n,). Computed part by part, so that no joint matrix has to be made.
    """
    dots = np.zeros(len(rows), np.float32)
    squares = np.zeros(len(rows), np.float32)
    own_square = np.float32(0)
    for part in (embeddings.items, embeddings.item_texts):
        vectors, own = part[rows], part[item_row]  # (n, dim), (dim,)
        dots += vectors @ own
        squares += np.einsum("nd,nd->n", vectors, vectors)
        own_square += own @ own
    norms = np.sqrt(squares * own_square)
    cosines: Vectors = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
    return cosines


def _history(item_rows: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows = np.asarray(item_rows, np.int64).reshape(-1)
    w = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    if w.shape != rows.shape:
        raise ValueError(f"{len(w)} weights for {len(rows)} items")
    return rows, w
