"""Looking up users and items: by a piece of their name, and what is known of one user."""

import asyncio
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog, Histories
from model_store.id_map import IdMap
from model_store.types import BehaviorTokens, Item, UserId
from service.evidence import Labels
from service.text_search import TextSearch
from service.types import FoundUser, ListedItem, UserProfile
from service.users import Users

_MAX_PAST = 20


class Directory:
    """What a page needs to let somebody choose a user and an item.

    Shapes: user_codes (num_users, 6) uint16.
    """

    def __init__(
        self,
        *,
        version: str,
        users: Users,
        user_ids: IdMap,
        user_codes: NDArray[np.uint16],
        histories: Histories,
        catalog: Catalog,
        labels: Labels,
    ) -> None:
        self._version = version
        self._users = users
        self._user_ids = user_ids
        self._user_codes = user_codes
        self._histories = histories
        self._catalog = catalog
        self._labels = labels

    async def find_users(self, query: str, limit: int) -> list[FoundUser]:
        """Users whose id holds the query, the one with just this id first; those with most history first without."""
        rows = await self._find(self._user_ids, lambda: self._user_search, query, limit)
        return [self._user(row) for row in rows]

    async def find_items(self, query: str, limit: int) -> list[Item]:
        """Items whose title holds the query, the one with just this id first; popular ones before others."""
        rows = await self._find(self._catalog.ids, lambda: self._item_search, query, limit)
        return [self._catalog.item(row) for row in rows]

    async def profile(self, user_id: UserId) -> UserProfile:
        """The user's tokens now, and the newest items of the history. Raises UnknownUser."""
        subject = await self._users.subject(user_id)
        newest = subject.history[::-1][:_MAX_PAST].tolist()
        return UserProfile(
            user_id=user_id if subject.user_id is None else subject.user_id,
            tokens=self._labels.of("user", subject.tokens),
            history=tuple(ListedItem(self._catalog.ids.to_id(row), self._catalog.titles[row]) for row in newest),
            model_version=self._version,
        )

    async def _find(self, ids: IdMap, search: Callable[[], TextSearch], query: str, limit: int) -> list[int]:
        exact = [ids.to_row(query)] if query in ids else []
        found = await asyncio.to_thread(lambda: search().find(query, limit))  # the first time it is made
        return list(dict.fromkeys([*exact, *found]))[:limit]

    def _user(self, row: int) -> FoundUser:
        macro = self._labels.of("user", BehaviorTokens.from_codes(self._user_codes[row])).labels[0]
        return FoundUser(self._user_ids.to_id(row), macro, len(self._histories.of(row)))

    @cached_property
    def _user_search(self) -> TextSearch:
        rows = np.argsort(-np.diff(self._histories.indptr), kind="stable")
        return TextSearch([str(self._user_ids.to_id(row)) for row in rows.tolist()], rows)

    @cached_property
    def _item_search(self) -> TextSearch:
        rows = np.argsort(-self._catalog.popularity, kind="stable")
        return TextSearch([self._catalog.titles[row] for row in rows.tolist()], rows)
