"""The use case behind POST /recommend."""

from functools import lru_cache

from model_store.catalog import Catalog
from model_store.types import UserId
from service.evidence import Labels
from service.item_search import ItemSearch
from service.telemetry import Telemetry
from service.types import Recommendation, RecommendedItem
from service.users import Users

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
        labels: Labels,
        item_search: ItemSearch,
        telemetry: Telemetry,
    ) -> None:
        self._version = version
        self._users = users
        self._catalog_item = lru_cache(_KEPT_ITEMS)(catalog.item)
        self._labels = labels
        self._item_search = item_search
        self._telemetry = telemetry

    async def recommend(self, user_id: UserId, k: int) -> Recommendation:
        """The k best items the user has not had. Raises UnknownUser."""
        timings_ms: dict[str, float] = {}
        user_row = self._users.row(user_id)
        with self._telemetry.stage("tokens", timings_ms):
            tokens = await self._users.tokens(user_row)
        with self._telemetry.stage("retrieval", timings_ms):
            candidates = await self._item_search.nearest(user_row, k)
        return Recommendation(
            user_id=self._users.id(user_row),
            items=tuple(map(self._item, candidates.rows.tolist(), candidates.scores.tolist())),
            user=self._labels.of("user", tokens),
            model_version=self._version,
        )

    def _item(self, row: int, score: float) -> RecommendedItem:
        item = self._catalog_item(row)
        return RecommendedItem(item.item_id, item.title, score, item.categories)
