"""One contract over every rate limiter, and what only Redis can do."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.adapters.rate_limiter import MemoryRateLimiter, RedisRateLimiter
from service.interfaces import RateLimiter
from service.telemetry import Telemetry

RATE_PER_S, BURST = 20.0, 4


def _redis_limiter(url: str, rate_per_s: float = RATE_PER_S, burst: int = BURST) -> RedisRateLimiter:
    return RedisRateLimiter(url, rate_per_s=rate_per_s, burst=burst, timeout_s=0.5, telemetry=Telemetry())


@pytest.fixture(params=["memory", "redis"])
async def slow(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    """A burst of 4, then one request in a hundred seconds: what a slow machine does between makes no difference."""
    made: RateLimiter
    if request.param == "redis":
        made = _redis_limiter(request.getfixturevalue("redis_server").url, rate_per_s=0.01)
    else:
        made = MemoryRateLimiter(rate_per_s=0.01, burst=BURST)
    yield made
    await made.close()


async def test_a_burst_passes_and_the_next_waits(slow):
    """The wait is what is left of the even interval; refused requests do not make it longer."""
    assert [await slow.wait_s("web") for _ in range(BURST)] == [0.0] * BURST
    waits = [await slow.wait_s("web") for _ in range(3)]
    assert all(50 < wait_s <= 100 for wait_s in waits), waits


async def test_callers_are_counted_apart(slow):
    """One that is over its limit costs the other nothing."""
    for _ in range(BURST + 1):
        await slow.wait_s("web")
    assert await slow.wait_s("other") == 0.0


async def test_requests_at_once_are_counted_one_by_one(slow):
    """However they interleave, exactly the burst passes."""
    waits = await asyncio.gather(*(slow.wait_s("web") for _ in range(40)))
    assert sum(wait_s == 0 for wait_s in waits) == BURST


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_after_the_wait_it_may_ask_again(kind, redis_server):
    """The wait that is told is long enough, for one request."""
    limiter: RateLimiter
    limiter = _redis_limiter(redis_server.url) if kind == "redis" else MemoryRateLimiter(rate_per_s=RATE_PER_S, burst=1)
    wait_s = 0.0
    while not wait_s:
        wait_s = await limiter.wait_s("web")
    await asyncio.sleep(wait_s + 0.005)
    assert await limiter.wait_s("web") == 0.0
    await limiter.close()


async def test_two_services_share_one_count_in_redis(redis_server):
    """Exactly the burst passes through both."""
    one, two = (_redis_limiter(redis_server.url, rate_per_s=0.01) for _ in range(2))
    waits = await asyncio.gather(*(limiter.wait_s("web") for limiter in (one, two) for _ in range(10)))
    assert sum(wait_s == 0 for wait_s in waits) == BURST
    await one.close()
    await two.close()
