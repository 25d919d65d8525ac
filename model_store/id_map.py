"""IdMap: outside ids <-> matrix rows, the only place where the two meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from model_store.errors import UnknownId
from model_store.string_table import StringTable

_INT64 = np.iinfo(np.int64)
_MAX_DIGITS = len(str(_INT64.min))


@dataclass(frozen=True, eq=False)
class IdMap:
    """Outside ids of one data set, all int or all str, in row order.

    Lookup is a binary search over sorted 64-bit keys (the id itself, or a hash of the string), so that a map of
    millions opens at once from mapped files; a found row is always compared with the id asked for.
    Shapes: ids (n,), keys (n,) int64 ascending, rows (n,) int64: keys[j] is the key of row rows[j].
    """

    kind: str
    ids: NDArray[np.int64] | StringTable
    keys: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def from_ids(cls, ids: Iterable[int | str] | NDArray[np.integer], *, kind: str = "id") -> IdMap:
        """Map of distinct ids; the i-th id gets row i. `kind` ("user", "item") names them in errors.

        TypeError for ids neither all int nor all str (bool is neither), ValueError for a repeated id or an
        integer beyond 64 bits.
        """
        known: list[int | str] = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
        table = _table_of(known, kind)
        found = table if isinstance(table, np.ndarray) else _keys_of(table)
        rows = np.argsort(found, kind="stable")
        if len(set(known)) != len(known):
            raise ValueError(f"repeated {kind} ids")
        return cls(kind, table, found[rows], rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, outside_id: object) -> bool:
        return self._find(outside_id) is not None

    def to_row(self, outside_id: int | str) -> int:
        """The id's row. "42" finds the integer id 42 and 42 the string "42", as JSON clients mix them. UnknownId."""
        row = self._find(outside_id)
        if row is None:
            raise UnknownId(self.kind, outside_id)
        return row

    def to_rows(self, outside_ids: Iterable[int | str]) -> NDArray[np.int64]:
        """Rows of several ids, (n,) int64, in the order asked. UnknownId names the first that is not known."""
        return np.fromiter((self.to_row(outside_id) for outside_id in outside_ids), np.int64)

    def to_id(self, row: int) -> int | str:
        """The outside id of a row, of the data set's own type. IndexError unless 0 <= row < len."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} {self.kind} ids")
        return self.ids[row] if isinstance(self.ids, StringTable) else int(self.ids[row])

    def _find(self, outside_id: object) -> int | None:
        wanted = _as_int(outside_id) if isinstance(self.ids, np.ndarray) else _as_str(outside_id)
        key = _key(wanted) if wanted is not None else None
        if key is None:
            return None
        position = int(self.keys.searchsorted(np.int64(key)))
        while position < len(self.keys) and self.keys[position] == key:  # more than once only if hashes collide
            row = int(self.rows[position])
            if self.to_id(row) == wanted:
                return row
            position += 1
        return None

    def to_tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under `<prefix>.keys`, `<prefix>.rows` and `<prefix>.ids` (or its blob and offsets)."""
        ids = {f"{prefix}.ids": self.ids} if isinstance(self.ids, np.ndarray) else self.ids.to_tensors(f"{prefix}.ids")
        return {f"{prefix}.keys": self.keys, f"{prefix}.rows": self.rows, **ids}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str, *, kind: str = "id") -> IdMap:
        """The map stored under `prefix`. KeyError where it is not; ValueError where its arrays do not fit."""
        keys = np.asarray(tensors[f"{prefix}.keys"], np.int64)
        rows = np.asarray(tensors[f"{prefix}.rows"], np.int64)
        ids: NDArray[np.int64] | StringTable
        if f"{prefix}.ids" in tensors:
            ids = np.asarray(tensors[f"{prefix}.ids"], np.int64)
        else:
            ids = StringTable.from_tensors(tensors, f"{prefix}.ids")
        if not len(ids) == len(keys) == len(rows):
            raise ValueError(f"{prefix}: {len(ids)} ids, {len(keys)} keys, {len(rows)} rows")
        return cls(kind, ids, keys, rows)


def _table_of(ids: Sequence[int | str], kind: str) -> NDArray[np.int64] | StringTable:
    if all(isinstance(outside_id, str) for outside_id in ids):
        return StringTable.from_strings(str(outside_id) for outside_id in ids)
    if not all(isinstance(outside_id, int | np.integer) and not isinstance(outside_id, bool) for outside_id in ids):
        raise TypeError(f"{kind} ids must be all int or all str")
    try:
        return np.array(ids, np.int64)
    except OverflowError:
        raise ValueError(f"{kind} ids must be integers of 64 bits") from None


def _keys_of(ids: StringTable) -> NDArray[np.int64]:
    return np.fromiter((_key(outside_id) for outside_id in ids), np.int64, len(ids))


def _key(outside_id: int | str) -> int | None:
    """Sort key of an id; None for a string that is no valid Unicode (JSON can carry lone surrogates)."""
    if isinstance(outside_id, int):
        return outside_id
    try:
        data = outside_id.encode()
    except UnicodeEncodeError:
        return None
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little", signed=True)


def _as_int(outside_id: object) -> int | None:
    """The id as an integer id: an int, or a string that is exactly how an int is written ("42", not "042")."""
    if isinstance(outside_id, str) and len(outside_id) <= _MAX_DIGITS and outside_id.lstrip("-").isdecimal():
        number = int(outside_id) if outside_id.count("-") <= 1 else 0
        outside_id = number if str(number) == outside_id else None
    if isinstance(outside_id, bool) or not isinstance(outside_id, int | np.integer):
        return None
    return int(outside_id) if _INT64.min <= outside_id <= _INT64.max else None


def _as_str(outside_id: object) -> str | None:
    """The id as a string id: a str, or an int as it is written."""
    if isinstance(outside_id, str):
        return outside_id
    if isinstance(outside_id, bool) or not isinstance(outside_id, int | np.integer):
        return None
    return str(int(outside_id))
