"""All tokens of a version in Redis: as the service reads them, in little memory, and resumable."""

import asyncio

import numpy as np
import pytest
from redis import Redis

from model_store import BehaviorTokens, IdMap
from service.adapters.token_cache import RedisTokenCache
from service.adapters.token_publisher import RedisFailed, TokenPublisher
from service.telemetry import Telemetry
from service.token_layout import TokenLayout

NUM_USERS = 40_000
IDS = IdMap.from_ids([f"user-{row}" for row in range(NUM_USERS)], kind="user")
CODES = np.random.default_rng(0).integers(0, 65_536, (NUM_USERS, 6)).astype(np.uint16)
CODES[:100, 3:] = 0  # bytes that end with zeros stay whole
BYTES_PER_USER = 120 * 2**20 / 1_000_000
"""The promise: a million users in 120 MiB."""


class _Stopped(Exception):
    """What Ctrl-C does, at a moment of the test's choosing."""


def _publisher(url: str, version: str = "v1", ids: IdMap = IDS) -> TokenPublisher:
    return TokenPublisher(url, version=version, ids=ids, codes=CODES[: len(ids)])


def _stop_after(users: int):
    def on_users(done: int) -> None:
        if done >= users:
            raise _Stopped

    return on_users


async def _read(url: str, rows: list[int], version: str = "v1") -> list[BehaviorTokens | None]:
    cache = RedisTokenCache(
        url, layout=TokenLayout(version, NUM_USERS), ttl_s=9, pool_size=2, timeout_s=5, telemetry=Telemetry()
    )
    found = await asyncio.gather(*(cache.get(IDS.to_id(row)) for row in rows))
    await cache.close()
    return found


async def test_what_is_published_is_what_the_service_reads(redis_server):
    """Every thousandth user, and those whose codes are zeros, through the token cache; nothing expires."""
    told: list[int] = []
    published = _publisher(redis_server.url).publish(told.append)
    rows = [*range(100), *range(100, NUM_USERS, 1000)]
    assert await _read(redis_server.url, rows) == [BehaviorTokens.from_codes(CODES[row]) for row in rows]
    assert published.users == told[-1] == NUM_USERS
    assert told == sorted(told)
    with Redis.from_url(redis_server.url) as redis:
        assert redis.ttl("beat:v1:tokens:0") == -1


def test_users_take_little_memory(redis_server):
    """Far less than the promise, because every hash is one packed list."""
    with Redis.from_url(redis_server.url) as redis:
        before = redis.info("memory")["used_memory"]
        published = _publisher(redis_server.url).publish(lambda users: None)
        assert (published.redis_bytes - before) / NUM_USERS < BYTES_PER_USER / 3
        encodings = {redis.object("encoding", key) for key in redis.scan_iter("beat:v1:tokens:*")}
    assert encodings == {b"listpack"}


async def test_an_interrupted_publication_goes_on_where_it_stopped(redis_server):
    """What was written is not written again, and in the end all of it is there."""
    with pytest.raises(_Stopped):
        _publisher(redis_server.url).publish(_stop_after(NUM_USERS // 2))
    told: list[int] = []
    published = _publisher(redis_server.url).publish(told.append)
    assert told[0] >= NUM_USERS // 2
    assert published.users == NUM_USERS - told[0]
    rows = list(range(0, NUM_USERS, 500))
    assert await _read(redis_server.url, rows) == [BehaviorTokens.from_codes(CODES[row]) for row in rows]
    assert _publisher(redis_server.url).publish(lambda users: None).users == 0


async def test_other_versions_stay_until_they_are_pruned(redis_server):
    """Publishing deletes nothing; pruning deletes all but this version's, and no key of another kind."""
    old = [BehaviorTokens.from_codes(CODES[0])]
    _publisher(redis_server.url, "old").publish(lambda users: None)
    new = _publisher(redis_server.url, "new")
    new.publish(lambda users: None)
    assert await _read(redis_server.url, [0], "old") == old
    with Redis.from_url(redis_server.url) as redis:
        redis.set("beat:feedback", "kept")
        assert new.prune() == TokenLayout("old", NUM_USERS).num_buckets + 1
        assert redis.get("beat:feedback") == b"kept"
    assert await _read(redis_server.url, [0], "old") == [None]
    assert await _read(redis_server.url, [0], "new") == old


async def test_a_bucket_that_a_service_filled_first_no_longer_expires(redis_server):
    """It would take the published users with it."""
    cache = RedisTokenCache(
        redis_server.url, layout=TokenLayout("v1", NUM_USERS), ttl_s=9, pool_size=2, timeout_s=5, telemetry=Telemetry()
    )
    await cache.put("user-0", BehaviorTokens.from_codes(CODES[0]))
    assert await cache.get("user-0")
    await cache.close()
    _publisher(redis_server.url).publish(lambda users: None)
    with Redis.from_url(redis_server.url) as redis:
        assert redis.ttl(TokenLayout("v1", NUM_USERS).place("user-0").key) == -1


def test_a_redis_that_is_not_there_is_a_clear_error(redis_server):
    """No trace of the library, no address."""
    redis_server.stop()
    with pytest.raises(RedisFailed, match="Redis failed with ConnectionError"):
        _publisher(redis_server.url).publish(lambda users: None)
