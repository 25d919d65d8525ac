"""Item search by inner product: the faiss index of the artifact, and exact search by numpy as its reference."""

import math
from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from model_store.embeddings import scan_depth
from service.types import Candidates

_MAX_DEPTH = 1024
"""Items to ask for, excluded ones included, up to which dropping them afterwards beats testing every visited vector."""
_SPARE = 1.5
"""Times as many items are asked for as a filter should need: what users like is not spread evenly over categories."""


class ExactRetriever:
    """Every item scored; the answer is right by definition. Of items that tie, the lower row comes first.

    Shapes: items (num_items, dim) float32.
    """

    def __init__(self, items: NDArray[np.float32]) -> None:
        self._items = items

    def retrieve(
        self,
        vector: NDArray[np.float32],
        k: int,
        exclude_rows: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        if allowed is None:
            scores = self._items @ vector  # (num_items,)
            scores[exclude_rows] = -np.inf
            rows = _best(scores, k)
            return Candidates(rows, scores[rows])
        open_rows = np.flatnonzero(_without(allowed, exclude_rows))
        scores = self._items[open_rows] @ vector  # (open,)
        places = _best(scores, k)
        return Candidates(open_rows[places], scores[places])

    def retrieve_many(
        self,
        vectors: NDArray[np.float32],
        ks: Sequence[int],
        exclude_rows: Sequence[NDArray[np.integer]],
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Candidates]:
        return [self.retrieve(*query, allowed) for query in zip(vectors, ks, exclude_rows, strict=True)]


class FaissRetriever:
    """Search in a faiss index over the same vectors; `index_bytes` None builds a flat (exact) one.

    An index of 4-bit codes (IndexFastScan) only says which items are worth scoring: their whole vectors decide.
    Shapes: index_bytes (n,) uint8 as `faiss.serialize_index` writes it, items (num_items, dim) float32.
    Raises ValueError when the index is not over these items.
    """

    def __init__(self, items: NDArray[np.float32], index_bytes: NDArray[np.uint8] | None = None) -> None:
        faiss.omp_set_num_threads(1)  # of this thread: for one query, waking others costs more than they help
        self._exact = ExactRetriever(items)
        self._index = _flat(items) if index_bytes is None else faiss.deserialize_index(np.asarray(index_bytes))
        if (self._index.ntotal, self._index.d) != items.shape:
            raise ValueError(f"index over {(self._index.ntotal, self._index.d)}, items are {items.shape}")
        self._items = items
        self._scans = isinstance(self._index, faiss.IndexFastScan)

    def retrieve(
        self,
        vector: NDArray[np.float32],
        k: int,
        exclude_rows: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        return self.retrieve_many(vector[None], [k], [exclude_rows], allowed)[0]

    def retrieve_many(
        self,
        vectors: NDArray[np.float32],
        ks: Sequence[int],
        exclude_rows: Sequence[NDArray[np.integer]],
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Candidates]:
        queries = np.ascontiguousarray(vectors, np.float32)
        wanted = [scan_depth(k) for k in ks] if self._scans else ks
        depths = [count + len(excluded) for count, excluded in zip(wanted, exclude_rows, strict=True)]
        if allowed is not None:  # asked for so many that as many as are wanted should pass
            over_fetch = _SPARE * len(allowed) / max(1, int(np.count_nonzero(allowed)))
            depths = [math.ceil(depth * over_fetch) for depth in depths]
        depth = min(max((depth for depth in depths if depth <= _MAX_DEPTH), default=1), self._index.ntotal)
        scores, rows = self._index.search(queries, depth)
        found = []
        for place, (k, excluded) in enumerate(zip(ks, exclude_rows, strict=True)):
            if depths[place] <= _MAX_DEPTH:
                kept = _outside(rows[place], excluded, allowed)[: wanted[place]]
                candidates = Candidates(rows[place, kept], scores[place, kept])
                if self._scans:
                    candidates = self._scored(candidates.rows, queries[place], k)
                found.append(self._completed(candidates, queries[place], k, excluded, allowed))
            elif allowed is not None or self._scans:
                # few pass: scoring just them is exact and costs less than searching past others; a scan takes no filter
                found.append(self._exact.retrieve(queries[place], k, excluded, allowed))
            else:
                candidates = self._filtered(queries[place : place + 1], k, excluded)
                found.append(self._completed(candidates, queries[place], k, excluded, None))
        return found

    def _scored(self, rows: NDArray[np.int64], vector: NDArray[np.float32], k: int) -> Candidates:
        """The k best of the rows by their whole vectors."""
        scores = self._items[rows] @ vector  # (n,)
        best = np.argsort(-scores, kind="stable")[:k]
        return Candidates(rows[best], scores[best])

    def _filtered(self, query: NDArray[np.float32], k: int, excluded: NDArray[np.integer]) -> Candidates:
        allowed = faiss.IDSelectorNot(faiss.IDSelectorBatch(excluded.astype(np.int64)))
        scores, rows = self._index.search(query, k, params=_only(allowed))
        return Candidates(rows[0, rows[0] >= 0], scores[0, rows[0] >= 0])

    def _completed(
        self,
        candidates: Candidates,
        vector: NDArray[np.float32],
        k: int,
        excluded: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None,
    ) -> Candidates:
        """The candidates, or exact ones: too few may have been visited, or have passed, to fill the answer."""
        if len(candidates.rows) >= k:
            return candidates
        if allowed is None:
            left = self._index.ntotal - len(np.unique(excluded))
        else:
            left = int(np.count_nonzero(_without(allowed, excluded)))
        return candidates if len(candidates.rows) >= left else self._exact.retrieve(vector, k, excluded, allowed)


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the k highest scores above minus infinity, highest first; of those that tie, the first ones."""
    k = min(k, len(scores))
    if k == 0:
        return np.empty(0, np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]  # all that tie with the k-th stay in the race
    places = np.flatnonzero((scores >= least) & (scores > -np.inf))
    return places[np.argsort(-scores[places], kind="stable")][:k]


def _without(allowed: NDArray[np.bool_], exclude_rows: NDArray[np.integer]) -> NDArray[np.bool_]:
    kept = allowed.copy()
    kept[exclude_rows] = False
    return kept


def _only(allowed: faiss.IDSelector) -> faiss.SearchParameters:
    params = faiss.SearchParameters()
    params.sel = allowed
    return params


def _flat(items: NDArray[np.float32]) -> faiss.Index:
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(np.ascontiguousarray(items, np.float32))
    return index


def _outside(
    rows: NDArray[np.int64], exclude_rows: NDArray[np.integer], allowed: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """Places in `rows` of found items that may come. A set beats np.isin at these sizes (about 5 us)."""
    excluded = set(exclude_rows.tolist())
    places = [place for place, row in enumerate(rows.tolist()) if row >= 0 and row not in excluded]
    outside = np.array(places, np.int64)
    return outside if allowed is None else outside[allowed[rows[outside]]]
