"""Item search by inner product: the faiss index of the artifact, and exact search by numpy as its reference."""

import faiss
import numpy as np
from numpy.typing import NDArray

from service.types import Candidates

_MAX_OVERFETCH = 1024
"""Excluded items up to which asking for more and dropping them beats testing every visited vector."""


class ExactRetriever:
    """Every item scored; the answer is right by definition. Of items that tie, the lower row comes first.

    Shapes: items (num_items, dim) float32.
    """

    def __init__(self, items: NDArray[np.float32]) -> None:
        self._items = items

    def retrieve(self, vector: NDArray[np.float32], k: int, exclude_rows: NDArray[np.int64]) -> Candidates:
        scores = self._items @ vector  # (num_items,)
        scores[exclude_rows] = -np.inf
        k = min(k, len(scores))
        least = np.partition(scores, len(scores) - k)[len(scores) - k]  # all that tie with the k-th stay in the race
        rows = np.flatnonzero((scores >= least) & (scores > -np.inf))
        rows = rows[np.argsort(-scores[rows], kind="stable")][:k]
        return Candidates(rows.astype(np.int64), scores[rows])


class FaissRetriever:
    """Search in a faiss index over the same vectors; `index_bytes` None builds a flat (exact) one.

    Shapes: index_bytes (n,) uint8 as `faiss.serialize_index` writes it, items (num_items, dim) float32.
    Raises ValueError when the index is not over these items.
    """

    def __init__(self, items: NDArray[np.float32], index_bytes: NDArray[np.uint8] | None = None) -> None:
        faiss.omp_set_num_threads(1)  # of this thread: for one query, waking others costs more than they help
        self._exact = ExactRetriever(items)
        self._index = _flat(items) if index_bytes is None else faiss.deserialize_index(np.asarray(index_bytes))
        if (self._index.ntotal, self._index.d) != items.shape:
            raise ValueError(f"index over {(self._index.ntotal, self._index.d)}, items are {items.shape}")

    def retrieve(self, vector: NDArray[np.float32], k: int, exclude_rows: NDArray[np.int64]) -> Candidates:
        query = np.ascontiguousarray(vector, np.float32)[None]
        if len(exclude_rows) <= _MAX_OVERFETCH:
            scores, rows = self._index.search(query, min(k + len(exclude_rows), self._index.ntotal))
            kept = _outside(rows[0], exclude_rows)[:k]
        else:
            allowed = faiss.IDSelectorNot(faiss.IDSelectorBatch(exclude_rows))
            scores, rows = self._index.search(query, k, params=_only(allowed))
            kept = np.flatnonzero(rows[0] >= 0)
        if len(kept) < k and len(kept) < self._index.ntotal - len(np.unique(exclude_rows)):
            # An approximate index may visit too few items; exact search always finds them.
            return self._exact.retrieve(vector, k, exclude_rows)
        return Candidates(rows[0, kept], scores[0, kept])


def _only(allowed: faiss.IDSelector) -> faiss.SearchParameters:
    params = faiss.SearchParameters()
    params.sel = allowed
    return params


def _flat(items: NDArray[np.float32]) -> faiss.Index:
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(np.ascontiguousarray(items, np.float32))
    return index


def _outside(rows: NDArray[np.int64], exclude_rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in `rows` of found items that are not excluded. A set beats np.isin at these sizes (about 5 us)."""
    excluded = set(exclude_rows.tolist())
    return np.array([place for place, row in enumerate(rows.tolist()) if row >= 0 and row not in excluded], np.int64)
