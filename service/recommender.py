"""The use case behind POST /recommend."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog
from model_store.types import ItemId, UserId
from service.category_index import CategoryIndex
from service.diversity import maximal_marginal_relevance
from service.evidence import Labels
from service.explainer import Explainer
from service.feedback_types import Served
from service.interfaces import FeedbackLog
from service.item_search import ItemSearch
from service.popular_items import PopularItems
from service.recommendation import CategoryFilter, Ranking, Recommendation, RecommendedItem, Wanted
from service.reranker import Reranker
from service.telemetry import Telemetry
from service.types import Candidates, Fallback, Stranger, Subject
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
        reranker: Reranker | None,
        explainer: Explainer,
        feedback_log: FeedbackLog,
        telemetry: Telemetry,
    ) -> None:
        """Shapes: item_vectors (num_items, dim_graph). Without `reranker` no language model is asked."""
        self._version = version
        self._users = users
        self._item_ids = catalog.ids
        self._catalog_item = lru_cache(_KEPT_ITEMS)(catalog.item)
        self._item_vectors = item_vectors
        self._categories = CategoryIndex(catalog.categories)
        self._popular = PopularItems(catalog.popularity)
        self._labels = labels
        self._item_search = item_search
        self._reranker = reranker
        self._explainer = explainer
        self._feedback_log = feedback_log
        self._telemetry = telemetry

    async def recommend(self, user_id: UserId | None, history: Sequence[ItemId], wanted: Wanted) -> Recommendation:
        """The items wanted, for the user, the history, or both (see Users.subject); popular ones for a stranger."""
        timings_ms: dict[str, float] = {}
        deadline = time.perf_counter() + wanted.deadline_s
        with self._telemetry.stage("total", timings_ms):
            with self._telemetry.stage("tokens", timings_ms):
                whom = await self._users.subject_or_stranger(user_id, history)
            with self._telemetry.stage("retrieval", timings_ms):
                ranking = Ranking(await self._ranked(whom, wanted))
            if wanted.rerank == "llm":
                with self._telemetry.stage("rerank", timings_ms):
                    ranking = await self._reranked(whom, ranking.candidates, wanted)
            recommendation = self._answer(whom, ranking, wanted, timings_ms)
            if wanted.explain and isinstance(whom, Subject):
                left_s = max(0.0, deadline - time.perf_counter())
                recommendation = await self._explained(whom, recommendation, wanted.explain, left_s)
            return recommendation

    async def recommend_many(self, user_ids: Sequence[UserId], wanted: Wanted) -> tuple[Recommendation, ...]:
        """What `recommend` answers for each user, in order: one look-up of tokens and one search for all of them."""
        timings_ms: dict[str, float] = {}
        with self._telemetry.stage("total", timings_ms):
            with self._telemetry.stage("tokens", timings_ms):
                many = await self._users.subjects(user_ids)
            with self._telemetry.stage("retrieval", timings_ms):
                rankings = await self._ranked_many(many, wanted)
            answers = zip(many, map(Ranking, rankings), strict=True)
            return tuple([self._answer(whom, ranking, wanted, timings_ms) for whom, ranking in answers])

    async def _ranked(self, whom: Subject | Stranger, wanted: Wanted) -> Candidates:
        depth = self._depth(wanted)
        exclude_rows, allowed = self._exclude_rows(whom, wanted), self._allowed(wanted)
        if isinstance(whom, Stranger):
            return self._popular.best(depth, exclude_rows, allowed)
        return await self._item_search.nearest(whom.vector, depth, exclude_rows, allowed)

    async def _reranked(self, whom: Subject | Stranger, candidates: Candidates, wanted: Wanted) -> Ranking:
        if isinstance(whom, Subject) and self._reranker is not None:
            if wanted.offset >= self._reranker.max_items and not wanted.diversity:
                return Ranking(candidates)  # none of the judged could stand on this page
            deadline_s = wanted.deadline_s / 2 if wanted.explain else wanted.deadline_s  # half of it is for words
            return await self._reranker.rerank(whom, candidates, deadline_s=deadline_s)
        why = "the service runs without a language model" if self._reranker is None else "nothing is known of the user"
        return Ranking(candidates, fallback=Fallback("no_rerank", why))

    async def _ranked_many(self, many: Sequence[Subject | Stranger], wanted: Wanted) -> list[Candidates]:
        depth, allowed = self._depth(wanted), self._allowed(wanted)
        known = [whom for whom in many if isinstance(whom, Subject)]
        found = await self._item_search.nearest_many(
            [subject.vector for subject in known],
            [depth] * len(known),
            [self._exclude_rows(subject, wanted) for subject in known],
            allowed,
        )
        nearest = iter(found)
        return [
            next(nearest)
            if isinstance(whom, Subject)
            else self._popular.best(depth, self._exclude_rows(whom, wanted), allowed)
            for whom in many
        ]

    async def _explained(
        self, subject: Subject, recommendation: Recommendation, count: int, deadline_s: float
    ) -> Recommendation:
        first, others = recommendation.items[:count], recommendation.items[count:]
        item_ids = [item.item_id for item in first]
        explanations = await self._explainer.explain_items(subject, item_ids, deadline_s=deadline_s)
        pairs = zip(first, explanations, strict=True)
        explained = tuple([item._replace(explanation=explanation) for item, explanation in pairs])
        return replace(recommendation, items=explained + others)

    def _exclude_rows(self, whom: Subject | Stranger, wanted: Wanted) -> NDArray[np.integer]:
        seen = whom.seen if isinstance(whom, Subject) and wanted.exclude_seen else _NO_ROWS
        if not wanted.exclude:
            return seen
        return np.concatenate([seen, self._item_ids.to_rows(i for i in wanted.exclude if i in self._item_ids)])

    def _allowed(self, wanted: Wanted) -> NDArray[np.bool_] | None:
        return None if wanted.categories == _EVERY_ITEM else self._categories.allowed(wanted.categories)

    def _answer(
        self, whom: Subject | Stranger, ranking: Ranking, wanted: Wanted, timings_ms: dict[str, float]
    ) -> Recommendation:
        if wanted.diversity:
            ranking = replace(ranking, candidates=self._diversified(ranking.candidates, wanted))
        ranked = ranking.candidates
        page = slice(wanted.offset, wanted.offset + wanted.k)
        rows, scores = ranked.rows[page].tolist(), ranked.scores[page].tolist()
        items = tuple(map(self._item, rows, scores, map(ranking.llm_scores.get, rows)))
        fallbacks = tuple(self._fallbacks(whom, ranking, wanted))
        for fallback in fallbacks:
            self._telemetry.count_fallback(fallback.reason)
        recommendation_id = secrets.token_urlsafe(_ID_BYTES)
        item_ids = tuple([item.item_id for item in items])
        self._feedback_log.remember(Served(recommendation_id, whom.user_id, self._version, item_ids, wanted.offset))
        return Recommendation(
            recommendation_id=recommendation_id,
            user_id=whom.user_id,
            items=items,
            user=self._labels.of("user", whom.tokens) if isinstance(whom, Subject) else None,
            model_version=self._version,
            unknown_items=whom.unknown_items,
            fallbacks=fallbacks,
            timings_ms=timings_ms,
        )

    def _fallbacks(self, whom: Subject | Stranger, ranking: Ranking, wanted: Wanted) -> list[Fallback]:
        told = [fallback for fallback in (whom.fallback, ranking.fallback) if fallback is not None]
        if wanted.categories != _EVERY_ITEM and (unknown := self._categories.unknown(wanted.categories)):
            # a misspelt name would otherwise filter in silence
            told.append(Fallback("unknown_category", f"no item has {', '.join(map(repr, unknown))}"))
        if len(ranking.candidates.rows) <= wanted.offset:
            told.append(Fallback("empty", _why_empty(ranking.candidates, wanted)))
        return told

    def _diversified(self, ranked: Candidates, wanted: Wanted) -> Candidates:
        pool = ranked.rows[:_DIVERSITY_POOL]
        relevance = np.sort(ranked.scores[: len(pool)])[::-1]  # by place, whoever ordered them
        count = wanted.offset + wanted.k
        order = maximal_marginal_relevance(self._item_vectors[pool], relevance, wanted.diversity, count)
        order = np.concatenate([order, np.arange(len(pool), len(ranked.rows))])
        return Candidates(ranked.rows[order], ranked.scores[order])

    def _depth(self, wanted: Wanted) -> int:
        """Items of the ranking that are needed to answer."""
        judged = self._reranker.max_items if wanted.rerank == "llm" and self._reranker is not None else 0
        return max(wanted.offset + wanted.k, _DIVERSITY_POOL if wanted.diversity else 0, judged)

    def _item(self, row: int, score: float, llm_score: float | None) -> RecommendedItem:
        item = self._catalog_item(row)
        return RecommendedItem(item.item_id, item.title, score, item.categories, llm_score)


def _why_empty(ranked: Candidates, wanted: Wanted) -> str:
    if len(ranked.rows):
        return f"the ranking has {len(ranked.rows)} items and the page begins after {wanted.offset}"
    if wanted.categories != _EVERY_ITEM:
        return "no item passes the filter that is not seen or excluded"
    return "every item was seen or excluded"
