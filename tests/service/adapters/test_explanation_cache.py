"""One contract over every explanation cache, and what only Redis can do wrong."""

import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.adapters.explanation_cache import MemoryExplanationCache, RedisExplanationCache
from service.explanation import KeptText
from service.interfaces import ExplanationCache
from service.telemetry import Telemetry
from tests.redis_server import RedisServer

WHOLE = KeptText('Because you like \u6f22 and "quotes".', "stop")
CUT = KeptText("Because.", "length")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def _redis_cache(server: RedisServer, telemetry: Telemetry, version: str = "v1") -> RedisExplanationCache:
    return RedisExplanationCache(
        server.url, version=version, ttl_s=100, pool_size=2, timeout_s=0.5, telemetry=telemetry
    )


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, telemetry: Telemetry) -> AsyncIterator[ExplanationCache]:
    made: ExplanationCache
    if request.param == "redis":
        made = _redis_cache(request.getfixturevalue("redis_server"), telemetry)
    else:
        made = MemoryExplanationCache(max_texts=1000, ttl_s=100, telemetry=telemetry)
    yield made
    await made.close()


async def test_what_was_put_comes_back(cache, telemetry):
    """Every text under its own key, the last one counts; a key never put is None; both are counted."""
    await cache.put("a", CUT)
    await cache.put("b", WHOLE)
    await cache.put("a", WHOLE)
    await cache.put("c", CUT)
    assert [await cache.get(key) for key in "abcd"] == [WHOLE, WHOLE, CUT, None]
    for result, count in (("hit", 3), ("miss", 1)):
        labels = {"cache": "explanations", "result": result}
        assert telemetry.registry.get_sample_value("beat_cache_lookups_total", labels) == count


async def test_an_answer_comes_back_byte_for_byte(cache, telemetry):
    """Apart from the texts, each under its own key, the last one counts; none is counted as a look-up."""
    await cache.put("a", WHOLE)
    await cache.put_answer("a", b"first")
    await cache.put_answer("a", b"\x00second")
    assert [await cache.answer(key) for key in "ab"] == [b"\x00second", None]
    labels = {"cache": "explanations", "result": "miss"}
    assert not telemetry.registry.get_sample_value("beat_cache_lookups_total", labels)
    assert await cache.get("a") == WHOLE


async def test_a_cache_in_order_says_ok_and_closes_twice(cache):
    """The fixture closes once more."""
    assert (await cache.check()).state == "ok"
    await cache.close()


async def test_memory_forgets_the_least_recently_asked_and_what_is_old(telemetry):
    """With room for two, the one not asked since leaves; after its time every text does."""
    cache = MemoryExplanationCache(max_texts=2, ttl_s=100, telemetry=telemetry)
    for key in ("old", "kept"):
        await cache.put(key, CUT)
    await cache.get("old")
    await cache.put("new", CUT)
    assert [await cache.get(key) for key in ("old", "kept", "new")] == [CUT, None, CUT]
    forgetful = MemoryExplanationCache(max_texts=2, ttl_s=0, telemetry=telemetry)
    await forgetful.put("a", CUT)
    time.sleep(0.001)
    assert await forgetful.get("a") is None


async def test_redis_keeps_versions_apart_and_forgets(redis_server, telemetry):
    """Keys are `beat:{version}:e:{key}` and expire."""
    cache, other = _redis_cache(redis_server, telemetry), _redis_cache(redis_server, telemetry, "v2")
    await cache.put("a", CUT)
    assert await cache.get("a") == CUT
    assert await other.get("a") is None
    async with Redis.from_url(redis_server.url) as redis:
        assert 0 < await redis.ttl("beat:v1:e:a") <= 100
    await cache.close()
    await other.close()


async def test_an_answer_is_kept_for_an_hour_at_most(redis_server, telemetry):
    """Texts stay for as long as the setting says, answers do not."""
    cache = RedisExplanationCache(
        redis_server.url, version="v", ttl_s=100_000, pool_size=2, timeout_s=5, telemetry=telemetry
    )
    await cache.put("a", WHOLE)
    await cache.put_answer("a", b"answer")
    await cache.close()
    redis = Redis.from_url(redis_server.url)
    assert await redis.ttl("beat:v:e:a") > 3_600
    assert 0 < await redis.ttl("beat:v:a:a") <= 3_600
    await redis.aclose()


async def test_a_stopped_redis_has_no_answers(redis_server, telemetry):
    """None, at once after the first look-up."""
    cache = _redis_cache(redis_server, telemetry)
    await cache.put_answer("a", b"answer")
    assert await cache.answer("a") == b"answer"
    redis_server.stop()
    assert [await cache.answer("a") for _ in range(3)] == [None] * 3
    await cache.close()


@pytest.mark.parametrize(
    "spoilt", [b"", b"{", b"7", b'["a"]', b'["", "stop"]', b'["a", "abort"]', b'[7, "stop"]', b"\xff"]
)
async def test_a_spoilt_value_is_none_and_counted(redis_server, telemetry, spoilt):
    """Another writer's bytes never become an answer."""
    cache = _redis_cache(redis_server, telemetry)
    async with Redis.from_url(redis_server.url) as redis:
        await redis.set("beat:v1:e:a", spoilt)
    assert await cache.get("a") is None
    labels = {"cache": "explanations", "result": "error"}
    assert telemetry.registry.get_sample_value("beat_cache_lookups_total", labels) == 1
    await cache.close()
