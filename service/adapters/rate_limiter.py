"""How often each caller may ask: counted in this process, or in Redis for all services together."""

import logging
import time
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from service.telemetry import Telemetry

log = logging.getLogger(__name__)

_REST_S: Final = 1.0
"""Pause after a failure, in which requests pass without Redis being asked."""

_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1e6 + clock[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = due - now - tolerance
if wait > 0 then
  return wait
end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', string.format('%.0f', (due - now) / 1000 + 1))
return 0
"""
"""The generic cell rate algorithm (ITU-T I.371): a token bucket that is one number, the time by which all requests
so far would be due at the even rate. Redis' own clock, in microseconds, is the same for every service."""


class MemoryRateLimiter:
    """One number a caller, in this process: two services let through twice as much."""

    def __init__(self, *, rate_per_s: float, burst: int) -> None:
        self._interval_s = 1 / rate_per_s
        self._tolerance_s = (burst - 1) * self._interval_s
        self._due: dict[str, float] = {}

    async def wait_s(self, caller: str) -> float:
        now = time.monotonic()
        due = max(self._due.get(caller, 0.0), now)
        wait_s = due - now - self._tolerance_s
        if wait_s > 0:
            return wait_s
        self._due[caller] = due + self._interval_s
        return 0.0

    async def close(self) -> None:
        self._due.clear()


class RedisRateLimiter:
    """One key a caller, `beat:rate:{caller}`, which expires by itself. Lets everything pass while Redis is down."""

    def __init__(self, url: str, *, rate_per_s: float, burst: int, timeout_s: float, telemetry: Telemetry) -> None:
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        )
        self._take = self._redis.register_script(_TAKE)
        interval_us = 1e6 / rate_per_s
        self._arguments = (interval_us, (burst - 1) * interval_us)
        self._telemetry = telemetry
        self._rest_until = 0.0

    async def wait_s(self, caller: str) -> float:
        if time.monotonic() < self._rest_until:
            return 0.0
        try:
            return float(await self._take(keys=[f"beat:rate:{caller}"], args=self._arguments)) / 1e6
        except (RedisError, OSError) as error:
            self._rest_until = time.monotonic() + _REST_S
            self._telemetry.count_redis_failure("rate_limit")
            log.warning("rate limits cannot be counted, requests pass: %s", type(error).__name__)
            return 0.0

    async def close(self) -> None:
        await self._redis.aclose()
