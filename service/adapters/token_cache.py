"""Where users' behaviour tokens are kept between requests: in this process, or in Redis."""

import asyncio
import logging
import time
from collections import OrderedDict

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from model_store.types import BehaviorTokens, UserId
from service.telemetry import Telemetry
from service.types import Part

log = logging.getLogger(__name__)

_BATCH = 256
"""Look-ups that share one round trip at most."""
_MAX_WAITING_PUTS = 10_000
"""Tokens waiting to be written; beyond it new ones are dropped, because a miss only costs a look-up."""
_REST_S = 1.0
"""Pause after a failure, in which requests do not wait for Redis at all."""


class MemoryTokenCache:
    """Tokens in a table of this process; the least recently asked users leave first."""

    def __init__(self, *, max_users: int, telemetry: Telemetry) -> None:
        self._max_users = max_users
        self._telemetry = telemetry
        self._tokens: OrderedDict[str, BehaviorTokens] = OrderedDict()
        telemetry.set_part_up("token_cache", True)

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        tokens = self._tokens.get(str(user_id))
        if tokens is not None:
            self._tokens.move_to_end(str(user_id))
        self._telemetry.count_lookup("tokens", "miss" if tokens is None else "hit")
        return tokens

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        self._tokens[str(user_id)] = tokens
        self._tokens.move_to_end(str(user_id))
        if len(self._tokens) > self._max_users:
            self._tokens.popitem(last=False)

    async def check(self) -> Part:
        return Part("ok", "in memory")

    async def close(self) -> None:
        self._tokens.clear()


class RedisTokenCache:
    """Tokens in Redis under `beat:{version}:u:{user_id}`, 12 bytes a user.

    Look-ups that arrive while one is under way share the next round trip (one MGET), and never see each other's
    cancellation: a cancelled redis-py command spoils its connection (redis-py #2797), so no request awaits one.
    When Redis fails, look-ups answer None at once for a second, then one of them tries again and alone waits for it.
    """

    def __init__(
        self, url: str, *, version: str, ttl_s: int, pool_size: int, timeout_s: float, telemetry: Telemetry
    ) -> None:
        self._prefix = f"beat:{version}:u:"
        self._ttl_s = ttl_s
        self._telemetry = telemetry
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                max_connections=pool_size,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                # One new try on a fresh connection: a restarted Redis is no error. A timeout is not retried.
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        )
        self._gets: list[tuple[str, asyncio.Future[bytes | None]]] = []
        self._puts: dict[str, bytes] = {}
        self._worker: asyncio.Task[None] | None = None
        self._rest_until = 0.0
        self._down = False

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        if time.monotonic() < self._rest_until or (self._down and self._working):
            self._telemetry.count_lookup("tokens", "error")
            return None
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._gets.append((self._key(user_id), found))
        self._work()
        value = await found
        if value is None:
            return None
        try:
            tokens = BehaviorTokens.from_bytes(value)
        except ValueError:
            self._telemetry.count_lookup("tokens", "error")
            return None
        self._telemetry.count_lookup("tokens", "hit")
        return tokens

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        if len(self._puts) < _MAX_WAITING_PUTS and not self._down:
            self._puts[self._key(user_id)] = tokens.to_bytes()
            self._work()

    async def check(self) -> Part:
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            self._failed(error)
            return Part("down", "Redis does not answer: tokens are looked up in the model")
        self._recovered()
        return Part("ok", "Redis")

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker
        await self._redis.aclose()

    @property
    def _working(self) -> bool:
        return self._worker is not None and not self._worker.done()

    def _key(self, user_id: UserId) -> str:
        return f"{self._prefix}{user_id}"

    def _work(self) -> None:
        if not self._working:
            self._worker = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        while self._gets or self._puts:
            gets, self._gets = self._gets[:_BATCH], self._gets[_BATCH:]
            puts, self._puts = self._puts, {}
            try:
                values = await self._round_trip([key for key, _ in gets], puts)
            except (RedisError, OSError) as error:
                self._failed(error)
                self._answer(gets, [None] * len(gets), "error")
            else:
                self._recovered()
                self._answer(gets, values, "miss")

    async def _round_trip(self, keys: list[str], puts: dict[str, bytes]) -> list[bytes | None]:
        if not puts:
            return await self._redis.mget(keys)  # type: ignore[return-value]  # bytes: decode_responses is off
        pipeline = self._redis.pipeline(transaction=False)
        for key, value in puts.items():
            pipeline.set(key, value, ex=self._ttl_s)
        if keys:
            pipeline.mget(keys)
        answers = await pipeline.execute()
        return answers[-1] if keys else []

    def _answer(
        self, gets: list[tuple[str, asyncio.Future[bytes | None]]], values: list[bytes | None], absent: str
    ) -> None:
        for (_, found), value in zip(gets, values, strict=True):
            if value is None:
                self._telemetry.count_lookup("tokens", "error" if absent == "error" else "miss")
            if not found.done():  # done: the client has left
                found.set_result(value)

    def _failed(self, error: Exception) -> None:
        self._telemetry.count_redis_failure("tokens")
        self._rest_until = time.monotonic() + _REST_S
        if not self._down:
            log.warning("token cache down, tokens are looked up in the model: %s", type(error).__name__)
        self._down = True
        self._telemetry.set_part_up("token_cache", False)

    def _recovered(self) -> None:
        if self._down:
            log.info("token cache answers again")
        self._down = False
        self._rest_until = 0.0
        self._telemetry.set_part_up("token_cache", True)
