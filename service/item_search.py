"""Searching items for requests that arrive together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.interfaces import Retriever
from service.types import Candidates

_BLOCKING_S = 0.002
"""A search up to this long runs on the event loop: a thread costs about 0.1 ms and a switch for every request."""
_BLOCKING_QUERIES = 32
"""More queries than this are searched for in a thread, however fast one is."""


@dataclass(eq=False)
class _Batch:
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    ks: list[int] = field(default_factory=list)
    exclude_rows: list[NDArray[np.integer]] = field(default_factory=list)
    found: "list[asyncio.Future[Candidates]]" = field(default_factory=list)

    def settle(self, search: "asyncio.Task[list[Candidates]]") -> None:
        """Give every request its own answer, or what the search raised; some may have left meanwhile."""
        error = search.exception()
        for place, found in enumerate(self.found):
            if found.done():
                continue
            if error is None:
                found.set_result(search.result()[place])
            else:
                found.set_exception(error)


class ItemSearch:
    """Best items by the inner product of graph vectors.

    Requests that arrive in the same turn of the event loop share one call of the retriever: over 14,000 items, sixteen
    queries at once take half as long as one by one. A request alone waits for nobody.
    """

    def __init__(self, retriever: Retriever, dim: int) -> None:
        """`dim` is the width of the vectors that will be asked with."""
        self._retriever = retriever
        self._open: _Batch | None = None
        self._in_thread = _search_seconds(retriever, dim) > _BLOCKING_S

    async def nearest(
        self,
        vector: NDArray[np.float32],
        k: int,
        exclude_rows: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        """As Retriever.retrieve. A filtered search is one of its own: few requests have the same filter."""
        if allowed is not None:
            return (await self.nearest_many([vector], [k], [exclude_rows], allowed))[0]
        loop = asyncio.get_running_loop()
        if self._open is None:
            self._open = _Batch()
            loop.create_task(self._search(self._open)).add_done_callback(self._open.settle)
        batch = self._open
        found: asyncio.Future[Candidates] = loop.create_future()
        batch.vectors.append(vector)
        batch.ks.append(k)
        batch.exclude_rows.append(exclude_rows)
        batch.found.append(found)
        return await found  # its own: one client that leaves must not end the others' search

    async def nearest_many(
        self,
        vectors: Sequence[NDArray[np.float32]],
        ks: Sequence[int],
        exclude_rows: Sequence[NDArray[np.integer]],
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Candidates]:
        """As Retriever.retrieve_many, in one call of it."""
        if not vectors:
            return []
        queries = np.stack(vectors)
        if self._in_thread or len(queries) > _BLOCKING_QUERIES:
            return await asyncio.to_thread(self._retriever.retrieve_many, queries, ks, exclude_rows, allowed)
        return self._retriever.retrieve_many(queries, ks, exclude_rows, allowed)

    async def _search(self, batch: _Batch) -> list[Candidates]:
        self._open = None
        return await self.nearest_many(batch.vectors, batch.ks, batch.exclude_rows)


def _search_seconds(retriever: Retriever, dim: int) -> float:
    """The fastest of three searches: what one costs on this machine, with its caches warm."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        retriever.retrieve(np.ones(dim, np.float32), 10, np.empty(0, np.int64))
        seconds.append(time.perf_counter() - started)
    return min(seconds)
