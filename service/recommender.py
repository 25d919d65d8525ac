"""The use case behind POST /recommend."""

import asyncio
import time
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog, Histories
from model_store.embeddings import NodeEmbeddings
from model_store.types import UserId
from service.evidence import Labels
from service.interfaces import Retriever
from service.telemetry import Telemetry
from service.types import Candidates, Recommendation, RecommendedItem
from service.users import Users

_BLOCKING_S = 0.002
"""A search up to this long runs on the event loop: a thread costs about 0.1 ms and a switch for every request."""
_KEPT_ITEMS = 16_384
"""Catalogue entries kept as Python values (about 10 MB): reading one from the mapped tables takes 10 us, and few items
make up most answers."""


class Recommender:
    """Ranks the catalogue for a known user by the inner product of graph vectors, without what the user has had."""

    def __init__(
        self,
        *,
        version: str,
        users: Users,
        catalog: Catalog,
        histories: Histories,
        embeddings: NodeEmbeddings,
        labels: Labels,
        retriever: Retriever,
        telemetry: Telemetry,
    ) -> None:
        self._version = version
        self._users = users
        self._catalog_item = lru_cache(_KEPT_ITEMS)(catalog.item)
        self._histories = histories
        self._embeddings = embeddings
        self._labels = labels
        self._retriever = retriever
        self._telemetry = telemetry
        self._search_in_thread = _search_seconds(retriever, embeddings.dim_graph) > _BLOCKING_S

    async def recommend(self, user_id: UserId, k: int) -> Recommendation:
        """The k best items the user has not had. Raises UnknownUser."""
        timings_ms: dict[str, float] = {}
        user_row = self._users.row(user_id)
        with self._telemetry.stage("tokens", timings_ms):
            tokens = await self._users.tokens(user_row)
        with self._telemetry.stage("retrieve", timings_ms):
            candidates = await self._search(user_row, k)
        return Recommendation(
            user_id=self._users.id(user_row),
            items=tuple(map(self._item, candidates.rows.tolist(), candidates.scores.tolist())),
            user=self._labels.of("user", tokens),
            model_version=self._version,
        )

    async def _search(self, user_row: int, k: int) -> Candidates:
        vector = self._embeddings.users[user_row]
        seen: NDArray[np.int64] = self._histories.of(user_row).astype(np.int64)
        if self._search_in_thread:
            return await asyncio.to_thread(self._retriever.retrieve, vector, k, seen)
        return self._retriever.retrieve(vector, k, seen)

    def _item(self, row: int, score: float) -> RecommendedItem:
        item = self._catalog_item(row)
        return RecommendedItem(item.item_id, item.title, score, item.categories)


def _search_seconds(retriever: Retriever, dim: int) -> float:
    """The fastest of three searches: what one costs on this machine, with its caches warm."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        retriever.retrieve(np.ones(dim, np.float32), 10, np.empty(0, np.int64))
        seconds.append(time.perf_counter() - started)
    return min(seconds)
