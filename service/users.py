"""Whom an answer is for: users the model version knows, and histories it can fold in."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_store.behavior_tokenizer import BehaviorTokenizer
from model_store.catalog import Histories
from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.types import BehaviorTokens, ItemId, UserId
from service.errors import UnknownHistory, UnknownUser
from service.interfaces import TokenCache
from service.types import Fallback, Subject

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
    ) -> None:
        self._ids = ids
        self._item_ids = item_ids
        self._codes = codes
        self._histories = histories
        self._tokenizer = tokenizer
        self._embeddings = tokenizer.embeddings
        self._cache = cache

    async def subject(self, user_id: UserId | None, history: Sequence[ItemId] = ()) -> Subject:
        """Who is meant by a user id, a history (newest item last), or both: then the history is what came after.

        A history is folded in (NodeEmbeddings.fold_in), a known user's together with what the training data hold.
        Raises UnknownUser for a user the version does not know and of whom nothing is told, UnknownHistory for a
        history without any item it knows.
        """
        user_row = self._row_or_none(user_id)
        told, unknown_items = self._item_rows(history)
        if len(told):
            return self._folded_in(user_id, user_row, told, unknown_items)
        if user_row is not None:
            return await self._trained(user_row, unknown_items)
        if user_id is None:
            raise UnknownHistory(unknown_items)
        raise UnknownUser(user_id)

    def row(self, user_id: UserId) -> int:
        """The user's matrix row. Raises UnknownUser."""
        try:
            return self._ids.to_row(user_id)
        except UnknownId as error:
            raise UnknownUser(user_id) from error

    def id(self, row: int) -> UserId:
        """The outside id, spelled as the data set does."""
        return self._ids.to_id(row)

    async def tokens(self, row: int) -> BehaviorTokens:
        """The user's tokens; on a miss the cache learns them without being waited for."""
        user_id = self._ids.to_id(row)
        cached = await self._cache.get(user_id)
        if cached is not None and max(cached.codes) < self._tokenizer.user.codebook_size:  # another writer may err
            return cached
        tokens = BehaviorTokens.from_codes(self._codes[row])
        await self._cache.put(user_id, tokens)
        return tokens

    async def _trained(self, user_row: int, unknown_items: tuple[ItemId, ...]) -> Subject:
        history = self._histories.of(user_row)
        return Subject(
            user_id=self._ids.to_id(user_row),
            vector=self._embeddings.users[user_row],
            tokens=await self.tokens(user_row),
            history=history,
            seen=history,
            unknown_items=unknown_items,
        )

    def _folded_in(
        self,
        user_id: UserId | None,
        user_row: int | None,
        told: NDArray[np.integer],
        unknown_items: tuple[ItemId, ...],
    ) -> Subject:
        trained = _NO_ROWS if user_row is None else self._histories.of(user_row)
        history = _each_once(np.concatenate([trained, told]))
        joint = self._embeddings.joint_history(history)  # (dim_joint,): graph dimensions first
        stranger = UnknownUser(user_id) if user_id is not None and user_row is None else None
        return Subject(
            user_id=user_id if user_row is None else self._ids.to_id(user_row),
            vector=joint[: self._embeddings.dim_graph],
            tokens=BehaviorTokens.from_codes(self._tokenizer.user.encode(joint[None])[0]),
            history=history,
            seen=history,
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
