"""The users a model version knows, and their behaviour tokens: from the token cache, else from the model."""

import numpy as np
from numpy.typing import NDArray

from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.types import BehaviorTokens, UserId
from service.errors import UnknownUser
from service.interfaces import TokenCache


class Users:
    """Known users. Right without the cache, which is the place that several services share.

    Shapes: codes (num_users, 6) uint16, each below codebook_size.
    """

    def __init__(self, ids: IdMap, codes: NDArray[np.uint16], codebook_size: int, cache: TokenCache) -> None:
        self._ids = ids
        self._codes = codes
        self._codebook_size = codebook_size
        self._cache = cache

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
        if cached is not None and max(cached.codes) < self._codebook_size:  # another writer may have spoilt the key
            return cached
        tokens = BehaviorTokens.from_codes(self._codes[row])
        await self._cache.put(user_id, tokens)
        return tokens
