"""Searching items for the users whose requests arrive together."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from model_store.catalog import Histories
from model_store.embeddings import NodeEmbeddings
from service.interfaces import Retriever
from service.types import Candidates

_BLOCKING_S = 0.002
"""A search up to this long runs on the event loop: a thread costs about 0.1 ms and a switch for every request."""


@dataclass(eq=False)
class _Batch:
    user_rows: list[int] = field(default_factory=list)
    ks: list[int] = field(default_factory=list)
    found: "asyncio.Task[list[Candidates]] | None" = None


class ItemSearch:
    """Best unseen items of known users, by the inner product of graph vectors.

    Requests that arrive in the same turn of the event loop share one call of the retriever: over 14,000 items, sixteen
    queries at once take half as long as one by one. A request alone waits for nobody.
    """

    def __init__(self, embeddings: NodeEmbeddings, histories: Histories, retriever: Retriever) -> None:
        self._embeddings = embeddings
        self._histories = histories
        self._retriever = retriever
        self._open: _Batch | None = None
        self._in_thread = _search_seconds(retriever, embeddings.dim_graph) > _BLOCKING_S

    async def nearest(self, user_row: int, k: int) -> Candidates:
        """The k best items that are not in the user's training history."""
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
            batch.found = asyncio.get_running_loop().create_task(self._search(batch))
        place = len(batch.ks)
        batch.user_rows.append(user_row)
        batch.ks.append(k)
        assert batch.found is not None
        return (await asyncio.shield(batch.found))[
            place
        ]  # shield: one client that leaves must not end the others' search

    async def _search(self, batch: _Batch) -> list[Candidates]:
        self._open = None
        vectors = self._embeddings.users[batch.user_rows]  # (batch, dim_graph)
        seen = [self._histories.of(user_row) for user_row in batch.user_rows]
        if self._in_thread:
            return await asyncio.to_thread(self._retriever.retrieve_many, vectors, batch.ks, seen)
        return self._retriever.retrieve_many(vectors, batch.ks, seen)


def _search_seconds(retriever: Retriever, dim: int) -> float:
    """The fastest of three searches: what one costs on this machine, with its caches warm."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        retriever.retrieve(np.ones(dim, np.float32), 10, np.empty(0, np.int64))
        seconds.append(time.perf_counter() - started)
    return min(seconds)
