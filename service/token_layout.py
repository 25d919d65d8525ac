"""Where a user's tokens lie in Redis: in small hashes of some 64 users each (docs/adr/0007).

A user is the field `user_id` (UTF-8 text) of the hash `beat:{version}:tokens:{bucket}`, where bucket is
CRC-32(user_id) modulo the number of buckets; the value is 12 bytes, 6 little-endian uint16 codes, macro first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from model_store.types import UserId

_USERS_PER_BUCKET: Final = 64
"""Well below the 128 entries up to which every Redis keeps a hash as one packed list."""


class Place(NamedTuple):
    """One user's tokens: a hash and the field in it."""

    key: str
    field: bytes


@dataclass(frozen=True)
class TokenLayout:
    """The hashes of one version. Whoever knows version and number of users knows every place."""

    version: str
    num_users: int

    @property
    def num_buckets(self) -> int:
        """Hashes of the version."""
        return -(-self.num_users // _USERS_PER_BUCKET)

    def key(self, bucket: int) -> str:
        """Name of a hash."""
        return f"beat:{self.version}:tokens:{bucket}"

    def place(self, user_id: UserId) -> Place:
        """Where this user's tokens lie."""
        field = str(user_id).encode()
        return Place(self.key(crc32(field) % self.num_buckets), field)

    def buckets(self, fields: Iterable[bytes], count: int) -> NDArray[np.int64]:
        """The bucket of each of `count` fields, (count,)."""
        return np.fromiter(map(crc32, fields), np.int64, count) % self.num_buckets
