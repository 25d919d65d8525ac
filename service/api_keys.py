"""API keys: who may ask, and what for. Only their hashes are known here."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, get_args

Scope = Literal["serve", "admin"]

_PREFIX: Final = "beat_"
"""Lets secret scanners know a key that was committed by mistake."""
_KEY_BYTES: Final = 32
_DIGEST_HEX: Final = 64
_EXPECTED: Final = "NAME:SCOPES:SHA256, scopes being serve, admin or serve+admin"


@dataclass(frozen=True)
class ApiKey:
    """One caller. `name` is fit for logs and metrics; `digest` is the SHA-256 of the key.

    A plain hash is enough: a key has 256 random bits, so there is nothing to guess from a stolen hash, and a slow hash
    for passwords would be work that any caller could make us do.
    """

    name: str
    scopes: frozenset[Scope]
    digest: bytes

    def __str__(self) -> str:
        """As in the settings, without the digest."""
        return f"{self.name}:{'+'.join(sorted(self.scopes))}:***"


class ApiKeys:
    """The keys of the settings: entries `NAME:SCOPES:SHA256`, apart by commas or white space."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, which says what an entry looks like and never repeats the digest."""
        self._keys = tuple(_parse(entry) for entry in text.replace(",", " ").split())
        if len({key.name for key in self._keys}) < len(self._keys):
            raise ValueError("every key with a name of its own")

    def __str__(self) -> str:
        """All of them, without digests."""
        return " ".join(map(str, self._keys))

    def guard(self, scope: Scope) -> bool:
        """Whether any key has this scope: what no key opens needs none."""
        return any(scope in key.scopes for key in self._keys)

    def find(self, presented: bytes) -> ApiKey | None:
        """The key that was presented. Every digest is compared whole, so that time tells nothing of them."""
        digest, found = sha256(presented).digest(), None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found


@dataclass(frozen=True)
class NewKey:
    """A key just made: `secret` goes to the caller and is kept nowhere, `entry` goes into the settings."""

    secret: str
    entry: str


def make_key(name: str, scopes: str) -> NewKey:
    """A key of 256 random bits; scopes as in an entry, "serve+admin". ValueError for what no entry can have."""
    secret = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    entry = f"{name}:{scopes}:{sha256(secret.encode()).hexdigest()}"
    _parse(entry)
    return NewKey(secret, entry)


def _parse(entry: str) -> ApiKey:
    name, _, rest = entry.partition(":")
    scopes, _, digest = rest.partition(":")
    known = frozenset(scope for scope in get_args(Scope) if scope in scopes.split("+"))
    if not name.isidentifier() or len(known) != len(scopes.split("+")) or len(digest) != _DIGEST_HEX:
        raise ValueError(_EXPECTED)
    try:
        return ApiKey(name, known, bytes.fromhex(digest))
    except ValueError:
        raise ValueError(_EXPECTED) from None
