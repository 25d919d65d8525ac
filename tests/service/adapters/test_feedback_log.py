"""One contract over both feedback logs, and what only Redis can do wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from service.adapters import served_hashes
from service.adapters.feedback_log import STREAM, MemoryFeedbackLog, RedisFeedbackLog
from service.feedback_types import FeedbackEvent, Served
from service.interfaces import FeedbackLog
from service.telemetry import Telemetry
from tests.redis_server import RedisServer

LIKE = FeedbackEvent("like", "50", "42", "rec-1", 3, "v1")
VIEW = FeedbackEvent("view", "51", "42")
SERVED = Served("rec-1", 42, "v1", (50, "51"), 10)


def _redis_log(server: RedisServer, telemetry: Telemetry | None = None, max_events: int = 1000) -> RedisFeedbackLog:
    return RedisFeedbackLog(server.url, max_events=max_events, timeout_s=0.5, telemetry=telemetry or Telemetry())


@pytest.fixture(params=["memory", "redis"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[FeedbackLog]:
    made: FeedbackLog = MemoryFeedbackLog(max_events=1000)
    if request.param == "redis":
        made = _redis_log(request.getfixturevalue("redis_server"))
    yield made
    await made.close()


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


def _keys(events: list[FeedbackEvent]) -> list[tuple[str, object, object, object]]:
    return [(event.kind, event.item_id, event.user_id, event.recommendation_id) for event in events]


class TestFeedbackLogContract:
    """What the service relies on, wherever it is kept."""

    async def test_earlier_events_are_handed_over_at_the_start(self, log):
        """In their order."""
        assert await log.append([LIKE, VIEW])
        found: list[FeedbackEvent] = []
        log.start(found.append)
        await _until(lambda: len(found) >= 2)
        assert _keys(found) == _keys([LIKE, VIEW])

    async def test_a_recommendation_is_found_by_its_id(self, log):
        """Whole, and no other."""
        log.remember(SERVED)
        assert await log.served("rec-1") == SERVED
        assert await log.served("rec-2") is None

    async def test_closing_twice_is_no_error(self, log):
        """Whether it was started or not."""
        log.start(lambda event: None)
        await log.close()
        await log.close()


async def test_memory_keeps_the_newest():
    """Of events and of recommendations."""
    log = MemoryFeedbackLog(max_events=2)
    await log.append([FeedbackEvent("view", number) for number in range(5)])
    assert [event.item_id for event in log.events] == [3, 4]
    for number in range(10_001):
        log.remember(Served(str(number), None, "v", ()))
    assert await log.served("0") is None
    assert await log.served("1") is not None


async def test_what_one_service_takes_another_gets(redis_server):
    """Events at once and recommendations soon, as plain fields of a stream and of a hash that expires."""
    one, other = _redis_log(redis_server), _redis_log(redis_server)
    found: list[FeedbackEvent] = []
    one.start(lambda event: None)
    other.start(found.append)
    one.remember(SERVED)
    assert await one.append([LIKE])
    await _until(lambda: found)
    assert _keys(found) == _keys([LIKE])
    async with asyncio.timeout(30):
        while await other.served("rec-1") != SERVED:
            await asyncio.sleep(0.05)
    async with Redis.from_url(redis_server.url) as redis:
        entries: Any = await redis.xrange(STREAM)
        [(_, fields)] = entries
        assert fields[b"rank"] == b"3"
        assert fields[b"kind"] == b"like"
        [key] = await redis.keys("beat:served:*")
        assert 0 < await redis.ttl(key) <= 3600
    await one.close()
    await other.close()


async def test_the_stream_is_bounded(redis_server):
    """Approximately, as Redis trims whole blocks of a hundred."""
    log = _redis_log(redis_server, max_events=200)
    for start in range(0, 2000, 100):
        await log.append([FeedbackEvent("view", start + number) for number in range(100)])
    async with Redis.from_url(redis_server.url) as redis:
        assert 200 <= await redis.xlen(STREAM) <= 300
    await log.close()


async def test_the_remembered_recommendations_are_bounded(redis_server, monkeypatch):
    """A hash that is full takes no more until the next half hour."""
    monkeypatch.setattr(served_hashes, "_BUCKET_MAX", 3)
    async with Redis.from_url(redis_server.url) as redis:
        hashes = served_hashes.ServedHashes(redis)
        for number in range(6):
            hashes.add(Served(str(number), None, "v", ()))
            await hashes.save()
        assert [await hashes.find(str(number)) is not None for number in range(6)] == [True] * 3 + [False] * 3


async def test_while_redis_is_down_events_wait_and_nothing_fails(redis_server):
    """The caller is told; when Redis is back the events are there, in order, without any new request."""
    telemetry = Telemetry()
    log = _redis_log(redis_server, telemetry)
    log.start(lambda event: None)
    redis_server.stop()
    log.remember(SERVED)
    assert not await log.append([LIKE])
    assert not await log.append([VIEW])
    assert await log.served("rec-1") == SERVED
    assert await log.served("of another service") is None
    assert telemetry.registry.get_sample_value("beat_part_up", {"part": "feedback"}) == 0
    redis_server.start()
    async with Redis.from_url(redis_server.url) as redis, asyncio.timeout(30):
        while await redis.xlen(STREAM) < 2:
            await asyncio.sleep(0.05)
        entries: Any = await redis.xrange(STREAM)
        assert [fields[b"item_id"] for _, fields in entries] == [b"50", b"51"]
    assert telemetry.registry.get_sample_value("beat_part_up", {"part": "feedback"}) == 1
    await log.close()


async def test_events_come_through_a_restart_of_redis(redis_server):
    """The reader goes on by itself."""
    log, found = _redis_log(redis_server), list[FeedbackEvent]()
    log.start(found.append)
    redis_server.stop()
    redis_server.start()
    await log.append([LIKE])
    await _until(lambda: found)
    await log.close()


async def test_entries_that_are_none_of_ours_are_passed_over(redis_server):
    """Another writer's fields, and a hash value that is no JSON of ours."""
    log, found = _redis_log(redis_server), list[FeedbackEvent]()
    async with Redis.from_url(redis_server.url) as redis:
        await redis.xadd(STREAM, {"kind": "stare", "item_id": "1"})
        await redis.xadd(STREAM, {b"\xff": b"\xff"})
        bucket = int(time.time()) // 1800
        await redis.hset(f"beat:served:{bucket}", mapping={"bad": b"{", "odd": b"[1]"})
        log.start(found.append)
        await log.append([LIKE])
        await _until(lambda: found)
    assert _keys(found) == _keys([LIKE])
    assert await log.served("bad") is None
    assert await log.served("odd") is None
    await log.close()
