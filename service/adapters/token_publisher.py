"""Writes the tokens of all users of a version into Redis, to be there before they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from redis import Redis
from redis.exceptions import RedisError

from model_store.id_map import IdMap
from service.adapters.redis_line import Command, packed
from service.token_layout import TokenLayout

_BUCKETS_PER_TRIP: Final = 256
"""About 16,000 users, 400 kB."""
_KEYS_PER_TRIP: Final = 1_000


class RedisFailed(Exception):
    """Redis did not take or give something; the message says which error, and no address."""


@dataclass(frozen=True)
class Published:
    """What a publication wrote: `users` in this run, the others were there from an interrupted one."""

    users: int
    redis_bytes: int
    """Memory that Redis uses now, for everything in it."""


class TokenPublisher:
    """One version's tokens on their way into Redis. How far it has come is kept there: another run goes on from it.

    Shapes: codes (num_users, 6) uint16 in the row order of ids.
    """

    def __init__(self, url: str, *, version: str, ids: IdMap, codes: NDArray[np.uint16]) -> None:
        self._redis: Redis = Redis.from_url(url)
        self._layout = TokenLayout(version, len(ids))
        self._progress_key = f"beat:{version}:published"
        self._ids = ids
        self._codes = codes

    def publish(self, on_users: Callable[[int], None]) -> Published:
        """Write what is not written yet, telling how many users are there. Raises RedisFailed."""
        with _redis_faults():
            first = self._buckets_done()
            fields, values, starts = self._sorted_by_bucket()
            on_users(int(starts[first]))
            for bucket in range(first, self._layout.num_buckets, _BUCKETS_PER_TRIP):
                last = min(bucket + _BUCKETS_PER_TRIP, self._layout.num_buckets)
                self._write(bucket, last, fields, values, starts)
                on_users(int(starts[last]))
            memory: Any = self._redis.info("memory")
            return Published(len(fields) - int(starts[first]), memory["used_memory"])

    def prune(self) -> int:
        """Delete the tokens of all other versions. Returns how many hashes went. Raises RedisFailed."""
        kept, gone = (f"beat:{self._layout.version}:".encode(), 0)
        with _redis_faults():
            for pattern in ("beat:*:tokens:*", "beat:*:published"):
                keys = [key for key in self._redis.scan_iter(pattern, _KEYS_PER_TRIP) if not key.startswith(kept)]
                for start in range(0, len(keys), _KEYS_PER_TRIP):
                    self._redis.unlink(*keys[start : start + _KEYS_PER_TRIP])
                gone += len(keys)
        return gone

    def close(self) -> None:
        """Give back the connection."""
        self._redis.close()

    def _buckets_done(self) -> int:
        """Buckets that an earlier run wrote; 0 where it counted on another number of users."""
        done: Any
        users: Any
        done, users = self._redis.hmget(self._progress_key, ["buckets", "users"])
        return int(done) if done is not None and int(users) == self._layout.num_users else 0

    def _sorted_by_bucket(self) -> tuple[list[bytes], list[bytes], NDArray[np.int64]]:
        """Fields and values of all users, bucket by bucket; bucket b holds those from starts[b] to starts[b + 1]."""
        fields = np.array([str(user_id).encode() for user_id in self._ids.ids], object)
        buckets = self._layout.buckets(fields, len(fields))
        order = np.argsort(buckets, kind="stable")
        starts = np.searchsorted(buckets[order], np.arange(self._layout.num_buckets + 1))
        values = self._codes[order].astype("<u2").view(f"V{2 * self._codes.shape[1]}").ravel().tolist()
        return fields[order].tolist(), values, starts

    def _write(
        self, first: int, last: int, fields: list[bytes], values: list[bytes], starts: NDArray[np.int64]
    ) -> None:
        commands: list[Command] = []
        for bucket in range(first, last):
            users = slice(int(starts[bucket]), int(starts[bucket + 1]))
            pairs = fields[users] * 2
            if pairs:
                pairs[::2], pairs[1::2] = fields[users], values[users]
                key = self._layout.key(bucket)
                # persist: a service that met some of these users first has let it expire
                commands += [("HSET", key, *pairs), ("PERSIST", key)]
        commands.append(("HSET", self._progress_key, "buckets", last, "users", self._layout.num_users))
        self._send(commands)

    def _send(self, commands: Sequence[Command]) -> None:
        connection = self._redis.connection_pool.get_connection()
        try:
            connection.send_packed_command([packed(commands)])  # type: ignore[no-untyped-call]
            for _ in commands:
                connection.read_response()
        except BaseException:
            # answers that nobody read would be taken for those of the next command
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        finally:
            self._redis.connection_pool.release(connection)


@contextmanager
def _redis_faults() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise RedisFailed(f"Redis failed with {type(error).__name__}") from error
