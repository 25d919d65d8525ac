"""Whom an answer is for: users the model version knows, and histories it can fold in."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model_store.behavior_tokenizer import BehaviorTokenizer
from model_store.catalog import Histories
from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.recency import Recency
from model_store.types import BehaviorTokens, ItemId, UserId
from service.errors import UnknownHistory, UnknownUser
from service.feedback_types import FeedbackEvent
from service.interfaces import TokenCache
from service.recent_events import RecentEvents, disliked, liked
from service.rows import user_row
from service.types import Fallback, Stranger, Subject

_NO_ROWS = np.empty(0, np.int32)


class Users:
    """Turns a user id or a history into a subject. Right without the token cache, which several services share.

    Shapes: codes (num_users, 6) uint16, each below codebook_size.
    """

    def __init__(
        self,
        *,
        ids: IdMap,
        item_ids: IdMap,
        codes: NDArray[np.uint16],
        histories: Histories,
        tokenizer: BehaviorTokenizer,
        cache: TokenCache,
        recent: RecentEvents,
        recency: Recency,
    ) -> None:
        """`recency` says how much an older item of a history counts when it is folded in."""
        self._ids = ids
        self._item_ids = item_ids
        self._codes = codes
        self._histories = histories
        self._tokenizer = tokenizer
        self._embeddings = tokenizer.embeddings
        self._cache = cache
        self._recent = recent
        self._recency = recency

    async def subject(self, user_id: UserId | None, history: Sequence[ItemId] = ()) -> Subject:
        """Who is meant by a user id, a history (newest item last), or both: then the history is what came after.

        A history is folded in (NodeEmbeddings.fold_in), a known user's together with what the training data hold, the
        newer items the more if the version was trained so.
        Feedback counts as history; items disliked count as seen alone.
        Raises UnknownUser for a user the version does not know and of whom nothing is told, UnknownHistory for a
        history without any item it knows.
        """
        user_row = self._row_or_none(user_id)
        events = () if user_id is None else self._recent.of(user_id)
        if user_row is not None and not history and not events:  # most requests
            return self._trained(user_row, await self.tokens(user_row))
        return await self._told(user_id, user_row, events, history)

    def plain_row(self, user_id: UserId) -> int | None:
        """The matrix row of a user of whom no more is known than the training data tell; None for anybody else."""
        return None if self._recent.of(user_id) else self._row_or_none(user_id)

    async def subjects(self, user_ids: Sequence[UserId]) -> list[Subject | Stranger]:
        """Many users, with one look-up in the token cache."""
        user_rows = [self._row_or_none(user_id) for user_id in user_ids]
        known = [row for row in user_rows if row is not None]
        tokens = dict(zip(known, await self._tokens_many(known), strict=True))
        return [
            self._trained(row, tokens[row])
            if row is not None and not self._recent.of(user_id)
            else await self.subject_or_stranger(user_id)
            for user_id, row in zip(user_ids, user_rows, strict=True)
        ]

    async def subject_or_stranger(self, user_id: UserId | None, history: Sequence[ItemId] = ()) -> Subject | Stranger:
        """As `subject`, for who can answer without knowing anybody."""
        try:
            return await self.subject(user_id, history)
        except (UnknownUser, UnknownHistory) as error:
            return Stranger(user_id, tuple(history), str(error))

    def row(self, user_id: UserId) -> int:
        """The user's matrix row. Raises UnknownUser."""
        return user_row(self._ids, user_id)

    async def tokens(self, row: int) -> BehaviorTokens:
        """The user's trained tokens; on a miss the cache learns them without being waited for."""
        user_id = self._ids.to_id(row)
        return await self._cached_or_trained(row, user_id, await self._cache.get(user_id))

    async def _tokens_many(self, rows: Sequence[int]) -> list[BehaviorTokens]:
        user_ids = [self._ids.to_id(row) for row in rows]
        cached = await self._cache.get_many(user_ids)
        return [await self._cached_or_trained(*known) for known in zip(rows, user_ids, cached, strict=True)]

    async def _cached_or_trained(self, row: int, user_id: UserId, cached: BehaviorTokens | None) -> BehaviorTokens:
        if cached is not None and max(cached.codes) < self._tokenizer.user.codebook_size:  # another writer may err
            return cached
        tokens = BehaviorTokens.from_codes(self._codes[row])
        await self._cache.put(user_id, tokens)
        return tokens

    def _trained(self, user_row: int, tokens: BehaviorTokens) -> Subject:
        history = self._histories.of(user_row)
        return Subject(self._ids.to_id(user_row), self._embeddings.users[user_row], tokens, history, history)

    async def _told(
        self,
        user_id: UserId | None,
        user_row: int | None,
        events: Collection[FeedbackEvent],
        history: Sequence[ItemId],
    ) -> Subject:
        done, _ = self._item_rows(liked(events))
        told, unknown_items = self._item_rows(history)
        spurned, _ = self._item_rows(disliked(events))
        if len(done) or len(told):
            return self._folded_in(user_id, user_row, np.concatenate([done, told]), spurned, unknown_items)
        if user_row is not None:
            trained = self._trained(user_row, await self.tokens(user_row))
            seen = np.concatenate([trained.seen, spurned])
            return replace(trained, seen=seen, unknown_items=unknown_items)
        raise UnknownUser(user_id) if user_id is not None else UnknownHistory(unknown_items)

    def _folded_in(
        self,
        user_id: UserId | None,
        user_row: int | None,
        told: NDArray[np.integer],
        spurned: NDArray[np.integer],
        unknown_items: tuple[ItemId, ...],
    ) -> Subject:
        trained = _NO_ROWS if user_row is None else self._histories.of(user_row)
        history = _each_once(np.concatenate([trained, told]))
        history = history[~np.isin(history, spurned)]
        weights = self._recency.weights(len(history))
        stranger = UnknownUser(user_id) if user_id is not None and user_row is None else None
        return Subject(
            user_id=user_id if user_row is None else self._ids.to_id(user_row),
            vector=self._embeddings.fold_in(history, weights),
            tokens=self._tokenizer.tokens_of_history(history, weights),
            history=history,
            seen=np.concatenate([history, spurned]),
            unknown_items=unknown_items,
            fallback=Fallback("fold_in", str(stranger)) if stranger else None,
        )

    def _row_or_none(self, user_id: UserId | None) -> int | None:
        try:
            return None if user_id is None else self._ids.to_row(user_id)
        except UnknownId:
            return None

    def _item_rows(self, item_ids: Sequence[ItemId]) -> tuple[NDArray[np.int64], tuple[ItemId, ...]]:
        known = [item_id for item_id in item_ids if item_id in self._item_ids]
        unknown = tuple(item_id for item_id in item_ids if item_id not in self._item_ids)
        return self._item_ids.to_rows(known), unknown


def _each_once(rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """The rows without repetition, each where it occurred last."""
    _, places = np.unique(rows[::-1], return_index=True)
    newest: NDArray[np.integer] = rows[np.sort(len(rows) - 1 - places)]
    return newest
