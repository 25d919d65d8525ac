"""Recent recommendations in Redis, so that any service can join feedback to what another one recommended."""

import time
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from service.feedback_types import Served

_PREFIX: Final = "beat:served:"
_MAX_WAITING: Final = 10_000
"""Recommendations not saved yet; beyond it new ones are left out."""
_BUCKET_S: Final = 1800
"""Recommendations of one half hour share a hash, and Redis drops it half an hour after its last one."""
_BUCKET_MAX: Final = 100_000
"""Recommendations in one hash (some 20 MB): of a busier half hour, those that come first."""


class ServedHashes:
    """One command saves all that came since the last one: a request only adds to a list.

    Every method that asks Redis raises RedisError or OSError where it does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[Served] = []
        self._full_bucket = -1

    def add(self, served: Served) -> None:
        """To be saved by the next `save`."""
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.append(served)

    async def save(self) -> None:
        """Put what waits into the hash of this half hour; where that is full or Redis fails it is dropped."""
        waiting, self._waiting = self._waiting, []
        bucket = _bucket()
        if not waiting or bucket == self._full_bucket:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(_key(bucket), mapping={served.recommendation_id: orjson.dumps(served[1:]) for served in waiting})
        pipeline.expire(_key(bucket), 2 * _BUCKET_S)
        pipeline.hlen(_key(bucket))
        _, _, size = await pipeline.execute()
        self._full_bucket = bucket if size >= _BUCKET_MAX else -1

    async def find(self, recommendation_id: str) -> Served | None:
        """A recommendation of this half hour or the last."""
        pipeline = self._redis.pipeline(transaction=False)
        for bucket in (_bucket(), _bucket() - 1):
            pipeline.hget(_key(bucket), recommendation_id)
        found = next((value for value in await pipeline.execute() if value is not None), None)
        try:
            return None if found is None else _served(recommendation_id, orjson.loads(found))
        except (ValueError, TypeError):  # another writer may have spoilt it
            return None


def _bucket() -> int:
    return int(time.time()) // _BUCKET_S


def _key(bucket: int) -> str:
    return f"{_PREFIX}{bucket}"


def _served(recommendation_id: str, value: Any) -> Served:
    user_id, model_version, item_ids, offset = value
    return Served(recommendation_id, user_id, model_version, tuple(item_ids), offset)
