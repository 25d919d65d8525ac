"""Users' tokens, with a cache that helps, is empty, or lies."""

import numpy as np
import pytest

from model_store.id_map import IdMap
from model_store.types import BehaviorTokens
from service.errors import UnknownUser
from service.users import Users
from tests.fakes import FakeTokenCache

CODES = np.arange(12, dtype=np.uint16).reshape(2, 6)
BEN = BehaviorTokens.from_codes(CODES[1])


@pytest.fixture
def cache() -> FakeTokenCache:
    return FakeTokenCache()


@pytest.fixture
def users(cache) -> Users:
    return Users(IdMap.from_ids(["ann", "ben"], kind="user"), CODES, 512, cache)


async def test_a_miss_is_answered_by_the_model_and_fills_the_cache(users, cache):
    """The tokens are right and the cache has them."""
    assert await users.tokens(1) == BEN
    assert cache.kept == {"ben": BEN}


async def test_a_hit_is_answered_by_the_cache(users, cache):
    """What another service wrote counts."""
    cache.kept["ben"] = BehaviorTokens(9, (9,) * 5)
    assert await users.tokens(1) == BehaviorTokens(9, (9,) * 5)


async def test_a_code_no_codebook_has_is_not_believed(users, cache):
    """It would be looked up beyond the table; the model's tokens are answered and put in its place."""
    cache.kept["ben"] = BehaviorTokens(0, (0, 0, 0, 0, 512))
    assert await users.tokens(1) == BEN
    assert cache.kept["ben"] == BEN


def test_an_unknown_user_is_our_own_error(users):
    """With the id as it was asked."""
    with pytest.raises(UnknownUser) as caught:
        users.row("nobody")
    assert caught.value.user_id == "nobody"
