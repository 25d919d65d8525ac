"""Values in Redis under keys, asked for by many requests at once, and done without where Redis fails."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from service.adapters.redis_line import Command, RedisLine, one_new_try
from service.metrics import Cache, CacheResult
from service.telemetry import Telemetry
from service.token_layout import Place
from service.types import Part

log = logging.getLogger(__name__)

V = TypeVar("V")
Key = str | Place
"""A key of its own, or a field of a hash."""

_BATCH = 256
"""Look-ups that share one round trip at most."""
_MAX_WAITING_PUTS = 10_000
"""Values waiting to be written; beyond it new ones are dropped, because a miss only costs making them again."""
_REST_S = 1.0
"""Pause after a failure, in which requests do not wait for Redis at all."""
_WITHOUT: Final[dict[Cache, str]] = {
    "tokens": "tokens are looked up in the model",
    "explanations": "every explanation is written anew",
}
PART_OF: Final[dict[Cache, str]] = {"tokens": "token_cache", "explanations": "explanation_cache"}
"""The name under which a cache's state is told."""


class _Get(NamedTuple):
    key: Key
    found: "asyncio.Future[bytes | None]"
    counted: bool


class _Put(NamedTuple):
    data: bytes
    ttl_s: int


class RedisTable(Generic[V]):
    """A table of values that a request can do without.

    Look-ups that arrive while one is under way share the next round trip, and never see each other's
    cancellation: a cancelled redis-py command spoils its connection (redis-py #2797), so no request awaits one.
    When Redis fails, look-ups answer None at once for a second, then one of them tries again and alone waits for it.
    """

    def __init__(
        self,
        url: str,
        *,
        use: Cache,
        decode: Callable[[bytes], V],
        ttl_s: int,
        pool_size: int,
        timeout_s: float,
        telemetry: Telemetry,
    ) -> None:
        """`decode` raises ValueError for bytes that are no value: another writer may have spoilt the key."""
        self._use: Cache = use
        self._name = PART_OF[use].replace("_", " ")
        self._decode = decode
        self._ttl_s = ttl_s
        self._telemetry = telemetry
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=pool_size,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=one_new_try(),
        )
        self._redis = Redis.from_pool(pool)
        self._line = RedisLine(url, timeout_s=timeout_s)
        self._gets: list[_Get] = []
        self._puts: dict[Key, _Put] = {}
        self._worker: asyncio.Task[None] | None = None
        self._rest_until = 0.0
        self._up: bool | None = None
        """None until Redis was asked for the first time."""

    async def get(self, key: Key) -> V | None:
        """The value, or None when it is not held, cannot be read or cannot be reached."""
        if self._resting:
            self._telemetry.count_lookup(self._use, "error")
            return None
        return self._value(await self._asked(key, counted=True))

    async def get_many(self, keys: Sequence[Key]) -> list[V | None]:
        """What `get` answers for each key, in order."""
        if self._resting:
            for _ in keys:
                self._telemetry.count_lookup(self._use, "error")
            return [None] * len(keys)
        asked = [self._asked(key, counted=True) for key in keys]
        return [self._value(await found) for found in asked]

    def ask(self, key: Key) -> "asyncio.Future[bytes | None]":
        """The bytes of a value, looked up from now on and not only when they are awaited; not counted."""
        if not self._resting:
            return self._asked(key, counted=False)
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        found.set_result(None)
        return found

    @property
    def _resting(self) -> bool:
        return time.monotonic() < self._rest_until or (self._up is False and self._working)

    def _asked(self, key: Key, *, counted: bool) -> "asyncio.Future[bytes | None]":
        get = _Get(key, asyncio.get_running_loop().create_future(), counted)
        self._gets.append(get)
        self._work()
        return get.found

    def _value(self, data: bytes | None) -> V | None:
        if data is None:
            return None
        try:
            value = self._decode(data)
        except ValueError:
            self._telemetry.count_lookup(self._use, "error")
            return None
        self._telemetry.count_lookup(self._use, "hit")
        return value

    def put(self, key: Key, data: bytes, *, ttl_s: int | None = None) -> None:
        """Keep it for so long, or for the table's time, where possible; not waited for."""
        if len(self._puts) < _MAX_WAITING_PUTS and self._up is not False:
            self._puts[key] = _Put(data, ttl_s or self._ttl_s)
            self._work()

    async def check(self) -> Part:
        """Whether Redis answers now."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            self._failed(error)
            return Part("down", f"Redis does not answer: {_WITHOUT[self._use]}")
        self._recovered()
        return Part("ok", "Redis")

    async def close(self) -> None:
        """Write what waits, and give back connections."""
        if self._worker is not None:
            await self._worker
        await self._line.close()
        await self._redis.aclose()

    @property
    def _working(self) -> bool:
        return self._worker is not None and not self._worker.done()

    def _work(self) -> None:
        if not self._working:
            self._worker = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        while self._gets or self._puts:
            gets, self._gets = self._gets[:_BATCH], self._gets[_BATCH:]
            puts, self._puts = self._puts, {}
            try:
                values = await self._round_trip([get.key for get in gets], puts)
            except (RedisError, OSError) as error:
                self._failed(error)
                self._answer(gets, [None] * len(gets), "error")
            else:
                self._recovered()
                self._answer(gets, values, "miss")

    async def _round_trip(self, keys: list[Key], puts: dict[Key, _Put]) -> list[bytes | None]:
        commands = [command for key, put in puts.items() for command in _put_commands(key, put)]
        commands += [("HGET", *key) if isinstance(key, Place) else ("GET", key) for key in keys]
        answers = await self._line.exchange(commands)
        return answers[len(answers) - len(keys) :]

    def _answer(self, gets: list["_Get"], values: list[bytes | None], absent: CacheResult) -> None:
        for get, value in zip(gets, values, strict=True):
            if value is None and get.counted:
                self._telemetry.count_lookup(self._use, absent)
            if not get.found.done():  # done: the client has left
                get.found.set_result(value)

    def _failed(self, error: Exception) -> None:
        self._telemetry.count_redis_failure(self._use)
        self._rest_until = time.monotonic() + _REST_S
        if self._up is not False:
            log.warning("%s down, %s: %s", self._name, _WITHOUT[self._use], type(error).__name__)
        self._up = False
        self._telemetry.set_part_up(PART_OF[self._use], False)

    def _recovered(self) -> None:
        if self._up:
            return
        if self._up is False:
            log.info("%s answers again", self._name)
        self._up, self._rest_until = True, 0.0
        self._telemetry.set_part_up(PART_OF[self._use], True)


def _put_commands(key: Key, put: _Put) -> list[Command]:
    if isinstance(key, Place):
        return [("HSET", *key, put.data), ("EXPIRE", key.key, put.ttl_s)]
    return [("SET", key, put.data, "EX", put.ttl_s)]
