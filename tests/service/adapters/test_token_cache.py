"""One contract over every token cache, and what only Redis can do wrong."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from zlib import crc32

import pytest
from redis.asyncio import Redis

from model_store.types import BehaviorTokens
from service.adapters.token_cache import MemoryTokenCache, RedisTokenCache
from service.interfaces import TokenCache
from service.telemetry import Telemetry
from service.token_layout import TokenLayout
from tests.fakes import FakeTokenCache
from tests.redis_server import RedisServer

NUM_USERS = 128
ALICE = BehaviorTokens(1, (2, 3, 4, 5, 511))
BOB = BehaviorTokens(7, (0, 0, 0, 0, 65_535))


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def _redis_cache(server: RedisServer, telemetry: Telemetry, version: str = "v1", timeout_s: float = 0.5):
    return RedisTokenCache(
        server.url,
        layout=TokenLayout(version, NUM_USERS),
        ttl_s=100,
        pool_size=2,
        timeout_s=timeout_s,
        telemetry=telemetry,
    )


@pytest.fixture(params=["memory", "redis", "fake"])
async def cache(request: pytest.FixtureRequest, telemetry: Telemetry) -> AsyncIterator[TokenCache]:
    made: TokenCache
    if request.param == "redis":
        made = _redis_cache(request.getfixturevalue("redis_server"), telemetry)
    elif request.param == "memory":
        made = MemoryTokenCache(max_users=1000, telemetry=telemetry)
    else:
        made = FakeTokenCache()
    yield made
    await made.close()


def _lookups(telemetry: Telemetry, result: str) -> float:
    labels = {"cache": "tokens", "result": result}
    return telemetry.registry.get_sample_value("beat_cache_lookups_total", labels) or 0.0


async def test_what_was_put_comes_back(cache):
    """A put is seen by the get that follows, for every user alone."""
    await cache.put("alice", ALICE)
    await cache.put(42, BOB)
    assert await cache.get("alice") == ALICE
    assert await cache.get(42) == BOB


async def test_a_user_never_put_is_none(cache):
    """A miss is an answer, not an error."""
    assert await cache.get("nobody") is None


async def test_a_second_put_replaces_the_first(cache):
    """The last tokens count."""
    await cache.put("alice", ALICE)
    await cache.put("alice", BOB)
    assert await cache.get("alice") == BOB


async def test_ids_of_any_text_stay_apart(cache):
    """White space, colons and other scripts are part of the id."""
    ids = ["a b", "a:b", "ab", "ä", "\u6f22", "a\r\nb", ""]
    tokens = [BehaviorTokens(place, (0,) * 5) for place in range(len(ids))]
    for user_id, kept in zip(ids, tokens, strict=True):
        await cache.put(user_id, kept)
    assert [await cache.get(user_id) for user_id in ids] == tokens


async def test_many_users_asked_at_once_each_get_their_own(cache):
    """1,000 concurrent look-ups, half of them misses, are not mixed up."""
    for user_id in range(0, 1000, 2):
        await cache.put(user_id, BehaviorTokens(user_id, (0,) * 5))
    found = await asyncio.gather(*(cache.get(user_id) for user_id in range(1000)))
    assert [tokens and tokens.macro for tokens in found] == [n if n % 2 == 0 else None for n in range(1000)]


async def test_a_cache_in_order_says_ok(cache):
    """Its state is ok."""
    assert (await cache.check()).state == "ok"


async def test_closing_twice_is_no_error(cache):
    """The fixture closes a third time."""
    await cache.close()
    await cache.close()
    assert True


async def test_memory_forgets_the_least_recently_asked(telemetry):
    """With room for two, the one not asked since leaves."""
    cache = MemoryTokenCache(max_users=2, telemetry=telemetry)
    await cache.put("old", ALICE)
    await cache.put("kept", ALICE)
    await cache.get("old")
    await cache.put("new", BOB)
    assert [await cache.get(user_id) for user_id in ("old", "kept", "new")] == [ALICE, None, BOB]


async def test_redis_keys_and_values_are_the_documented_ones(redis_server, telemetry):
    """A field of `beat:{version}:tokens:{bucket}` holds 12 little-endian bytes; another version sees nothing."""
    cache, other = _redis_cache(redis_server, telemetry), _redis_cache(redis_server, telemetry, version="v2")
    await cache.put("alice", ALICE)
    assert await cache.get("alice") == ALICE
    assert await other.get("alice") is None
    async with Redis.from_url(redis_server.url) as redis:
        key = f"beat:v1:tokens:{crc32(b'alice') % 2}"
        assert await redis.hgetall(key) == {b"alice": bytes([1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 255, 1])}
        assert 0 < await redis.ttl(key) <= 100
    await cache.close()
    await other.close()


async def test_concurrent_lookups_share_round_trips(redis_server, telemetry):
    """256 look-ups at once reach Redis in one pipeline: it reads its socket once or twice, not 256 times."""
    cache = _redis_cache(redis_server, telemetry)
    await cache.get("warm")
    async with Redis.from_url(redis_server.url) as redis:
        await redis.config_resetstat()
        await asyncio.gather(*(cache.get(user_id) for user_id in range(256)))
        commands, stats = await redis.info("commandstats"), await redis.info("stats")
    assert commands["cmdstat_hget"]["calls"] == 256
    assert stats["total_reads_processed"] <= 6
    await cache.close()


async def test_a_stopped_redis_is_a_counted_miss_logged_once_and_comes_back(redis_server, telemetry, caplog):
    """Look-ups answer None while Redis is gone, and tokens again once it is back, without anyone's help."""
    caplog.set_level(logging.INFO)
    cache = _redis_cache(redis_server, telemetry)
    await cache.put("alice", ALICE)
    assert await cache.get("alice") == ALICE
    redis_server.stop()
    assert [await cache.get("alice") for _ in range(50)] == [None] * 50
    assert _lookups(telemetry, "error") == 50
    assert (await cache.check()).state == "down"
    redis_server.start()
    assert (await cache.check()).state == "ok"
    await cache.put("alice", ALICE)
    assert await cache.get("alice") == ALICE
    lines = [record.getMessage() for record in caplog.records if record.name == "service.adapters.redis_table"]
    assert len(lines) == 2, lines
    assert lines[0].startswith("token cache down")
    assert lines[1].startswith("token cache answers")
    await cache.close()


async def test_a_redis_that_hangs_delays_one_round_of_lookups_by_its_timeout(redis_server, telemetry):
    """After the first timeout nobody waits: a hundred look-ups take no time while Redis is paused."""
    cache = _redis_cache(redis_server, telemetry, timeout_s=0.2)
    await cache.put("alice", ALICE)
    assert await cache.get("alice") == ALICE
    async with Redis.from_url(redis_server.url) as redis:
        await redis.execute_command("CLIENT", "PAUSE", 800)
    started = time.monotonic()
    assert await cache.get("alice") is None
    assert [await cache.get("alice") for _ in range(100)] == [None] * 100
    assert time.monotonic() - started < 0.5
    await asyncio.sleep(1.1)
    assert await cache.get("alice") == ALICE
    await cache.close()


async def test_a_restarted_redis_is_found_by_a_lookup(redis_server, telemetry):
    """No check has to be asked: after the pause a look-up tries again by itself."""
    cache = _redis_cache(redis_server, telemetry)
    redis_server.stop()
    assert await cache.get("alice") is None
    redis_server.start()
    await asyncio.sleep(1.1)
    assert await cache.get("alice") is None  # asks Redis, which is up and empty
    await cache.put("alice", ALICE)
    assert await cache.get("alice") == ALICE
    await cache.close()


async def test_a_lookup_that_its_client_gave_up_spoils_nothing(redis_server, telemetry):
    """Cancelled look-ups leave the connection clean: the next user does not get the last one's tokens."""
    cache = _redis_cache(redis_server, telemetry)
    await cache.put("alice", ALICE)
    await cache.put("bob", BOB)
    for _ in range(20):
        given_up = asyncio.create_task(cache.get("alice"))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await cache.get("bob") == BOB
    await cache.close()


async def test_bytes_that_are_no_tokens_are_an_error_not_an_answer(redis_server, telemetry):
    """A key that someone else wrote is looked past."""
    cache = _redis_cache(redis_server, telemetry)
    async with Redis.from_url(redis_server.url) as redis:
        await redis.hset(*TokenLayout("v1", NUM_USERS).place("alice"), b"not tokens")
    assert await cache.get("alice") is None
    assert _lookups(telemetry, "error") == 1
    await cache.close()


async def test_hits_and_misses_are_counted(redis_server, telemetry):
    """One of each."""
    cache = _redis_cache(redis_server, telemetry)
    await cache.get("alice")
    await cache.put("alice", ALICE)
    await cache.get("alice")
    assert (_lookups(telemetry, "hit"), _lookups(telemetry, "miss"), _lookups(telemetry, "error")) == (1, 1, 0)
    await cache.close()
