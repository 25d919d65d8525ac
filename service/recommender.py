"""The use case behind POST /recommend."""

import secrets
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog
from model_store.types import ItemId, UserId
from service.category_index import CategoryIndex
from service.diversity import maximal_marginal_relevance
from service.errors import UnknownHistory, UnknownUser
from service.evidence import Labels
from service.item_search import ItemSearch
from service.popular_items import PopularItems
from service.telemetry import Telemetry
from service.types import Candidates, CategoryFilter, Fallback, Recommendation, RecommendedItem, Subject, Wanted
from service.users import Users

_KEPT_ITEMS = 16_384
"""Catalogue entries kept as Python values (about 10 MB): reading one from the mapped tables takes 10 us, and few items
make up most answers."""
_DIVERSITY_POOL = 500
"""Candidates that a diverse ranking chooses from: always as many, so that one page goes on where another ended."""
_ID_BYTES = 9
_NO_ROWS = np.empty(0, np.int64)
_EVERY_ITEM = CategoryFilter()


class Recommender:
    """Ranks the catalogue for a subject by the inner product of graph vectors, then as the request wishes."""

    def __init__(
        self,
        *,
        version: str,
        users: Users,
        catalog: Catalog,
        item_vectors: NDArray[np.float32],
        labels: Labels,
        item_search: ItemSearch,
        telemetry: Telemetry,
    ) -> None:
        """Shapes: item_vectors (num_items, dim_graph)."""
        self._version = version
        self._users = users
        self._item_ids = catalog.ids
        self._catalog_item = lru_cache(_KEPT_ITEMS)(catalog.item)
        self._item_vectors = item_vectors
        self._categories = CategoryIndex(catalog.categories)
        self._popular = PopularItems(catalog.popularity)
        self._labels = labels
        self._item_search = item_search
        self._telemetry = telemetry

    async def recommend(self, user_id: UserId | None, history: Sequence[ItemId], wanted: Wanted) -> Recommendation:
        """The items wanted, for the user, the history, or both (see Users.subject); popular ones for a stranger."""
        timings_ms: dict[str, float] = {}
        fallbacks: list[Fallback] = []
        with self._telemetry.stage("total", timings_ms):
            with self._telemetry.stage("tokens", timings_ms):
                subject = await self._subject(user_id, history, fallbacks)
            with self._telemetry.stage("retrieval", timings_ms):
                ranked = await self._ranked(subject, wanted, fallbacks)
            if wanted.diversity:
                ranked = self._diversified(ranked, wanted)
            items = self._page(ranked, wanted, fallbacks)
            return Recommendation(
                recommendation_id=secrets.token_urlsafe(_ID_BYTES),
                user_id=user_id if subject is None else subject.user_id,
                items=items,
                user=None if subject is None else self._labels.of("user", subject.tokens),
                model_version=self._version,
                unknown_items=tuple(history) if subject is None else subject.unknown_items,
                fallbacks=self._counted(fallbacks),
                timings_ms=timings_ms,
            )

    async def _subject(
        self, user_id: UserId | None, history: Sequence[ItemId], fallbacks: list[Fallback]
    ) -> Subject | None:
        try:
            subject = await self._users.subject(user_id, history)
        except (UnknownUser, UnknownHistory) as error:
            fallbacks.append(Fallback("popular", str(error)))
            return None
        if subject.fallback is not None:
            fallbacks.append(subject.fallback)
        return subject

    async def _ranked(self, subject: Subject | None, wanted: Wanted, fallbacks: list[Fallback]) -> Candidates:
        exclude_rows, allowed = self._exclude_rows(subject, wanted), self._allowed(wanted, fallbacks)
        if subject is None:
            return self._popular.best(_depth(wanted), exclude_rows, allowed)
        return await self._item_search.nearest(subject.vector, _depth(wanted), exclude_rows, allowed)

    def _exclude_rows(self, subject: Subject | None, wanted: Wanted) -> NDArray[np.integer]:
        seen = subject.seen if subject is not None and wanted.exclude_seen else _NO_ROWS
        if not wanted.exclude:
            return seen
        return np.concatenate([seen, self._item_ids.to_rows(i for i in wanted.exclude if i in self._item_ids)])

    def _allowed(self, wanted: Wanted, fallbacks: list[Fallback]) -> NDArray[np.bool_] | None:
        if wanted.categories == _EVERY_ITEM:
            return None
        unknown = self._categories.unknown(wanted.categories)
        if unknown:  # a misspelt name would otherwise filter in silence
            fallbacks.append(Fallback("unknown_category", f"no item has {', '.join(map(repr, unknown))}"))
        return self._categories.allowed(wanted.categories)

    def _diversified(self, ranked: Candidates, wanted: Wanted) -> Candidates:
        pool = ranked.rows[:_DIVERSITY_POOL]
        # Scores fall along the ranking, whoever ordered it
        relevance = np.sort(ranked.scores[: len(pool)])[::-1]
        order = maximal_marginal_relevance(
            self._item_vectors[pool], relevance, wanted.diversity, wanted.offset + wanted.k
        )
        rest = np.arange(len(pool), len(ranked.rows))
        order = np.concatenate([order, rest])
        return Candidates(ranked.rows[order], ranked.scores[order])

    def _page(self, ranked: Candidates, wanted: Wanted, fallbacks: list[Fallback]) -> tuple[RecommendedItem, ...]:
        page = slice(wanted.offset, wanted.offset + wanted.k)
        rows, scores = ranked.rows[page].tolist(), ranked.scores[page].tolist()
        if not rows:
            fallbacks.append(Fallback("empty", _why_empty(ranked, wanted)))
        return tuple(map(self._item, rows, scores))

    def _item(self, row: int, score: float) -> RecommendedItem:
        item = self._catalog_item(row)
        return RecommendedItem(item.item_id, item.title, score, item.categories)

    def _counted(self, fallbacks: list[Fallback]) -> tuple[Fallback, ...]:
        for fallback in fallbacks:
            self._telemetry.count_fallback(fallback.reason)
        return tuple(fallbacks)


def _depth(wanted: Wanted) -> int:
    """Items of the ranking that are needed to answer."""
    page_end = wanted.offset + wanted.k
    return max(page_end, _DIVERSITY_POOL) if wanted.diversity else page_end


def _why_empty(ranked: Candidates, wanted: Wanted) -> str:
    if len(ranked.rows):
        return f"the ranking has {len(ranked.rows)} items and the page begins after {wanted.offset}"
    if wanted.categories != _EVERY_ITEM:
        return "no item passes the filter that is not seen or excluded"
    return "every item was seen or excluded"
