"""StringTable: many strings as two arrays, so that a million of them load lazily and cost only their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StringTable:
    """Strings in row order: row i is blob[offsets[i]:offsets[i + 1]], UTF-8.

    Shapes: blob (num_bytes,) uint8, offsets (num_rows + 1,) int64.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> StringTable:
        """Table of the strings in their order. ValueError where one is no valid Unicode (a lone surrogate)."""
        encoded = [string.encode() for string in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(data) for data in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        return self.encoded(row).decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def encoded(self, row: int) -> bytes:
        """The string's UTF-8 bytes. IndexError unless 0 <= row < len."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a table of {len(self)}")
        return self.blob[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def to_tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """The two arrays under `<prefix>.blob` and `<prefix>.offsets`."""
        return {f"{prefix}.blob": self.blob, f"{prefix}.offsets": self.offsets}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> StringTable:
        """The table stored under `prefix`. KeyError where it is not; ValueError where its arrays do not fit."""
        blob = np.asarray(tensors[f"{prefix}.blob"], np.uint8)
        offsets = np.asarray(tensors[f"{prefix}.offsets"], np.int64)
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(blob) or (np.diff(offsets) < 0).any():
            raise ValueError(f"{prefix}: offsets do not divide a blob of {len(blob)} bytes")
        return cls(blob, offsets)
