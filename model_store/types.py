"""The values that every wing speaks in: outside ids, behaviour tokens, items, prompts."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

UserId = int | str
"""An outside user id, as the data set writes it. Never a matrix row."""
ItemId = int | str
"""An outside item id, as the data set writes it. Never a matrix row."""

Side = Literal["user", "item"]
"""Which of the two vocabularies a code belongs to."""
Slot = Literal["style", "user", "item"]
"""A place in the prompt that holds embeddings instead of text."""

NUM_MICRO = 5
"""Micro codes (intentions) of a node."""
NUM_CODES = 1 + NUM_MICRO
"""All codes of a node: the macro code (interest), then its micro codes."""

_WIRE = struct.Struct(f"<{NUM_CODES}H")


@dataclass(frozen=True)
class BehaviorTokens:
    """One node's codes: 1 macro and 5 micro codes, each within 0..65535 (arXiv:2512.15614, stage 1)."""

    macro: int
    micro: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.micro) != NUM_MICRO:
            raise ValueError(f"expected {NUM_MICRO} micro codes, found {len(self.micro)}")

    @property
    def codes(self) -> tuple[int, ...]:
        """All 6 codes, macro first: position = level."""
        return (self.macro, *self.micro)

    @classmethod
    def from_codes(cls, codes: Sequence[int]) -> BehaviorTokens:
        """Tokens of 6 codes, macro first (a tuple, a list or a (6,) array)."""
        macro, *micro = (int(code) for code in codes)
        return cls(macro, tuple(micro))

    def to_bytes(self) -> bytes:
        """12 bytes: 6 little-endian uint16, macro first. This is the form kept in Redis."""
        return _WIRE.pack(*self.codes)

    @classmethod
    def from_bytes(cls, data: bytes) -> BehaviorTokens:
        """Tokens of their 12 bytes. ValueError for any other length."""
        if len(data) != _WIRE.size:
            raise ValueError(f"expected {_WIRE.size} bytes of codes, found {len(data)}")
        macro, *micro = _WIRE.unpack(data)
        return cls(macro, tuple(micro))


@dataclass(frozen=True)
class Item:
    """What the catalogue knows of one item. Title and text are untrusted."""

    item_id: ItemId
    title: str
    text: str = ""
    categories: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """Categories and text as a prompt tells them: "Crime, Drama. Directed by ..."; empty where there are none."""
        listed = f"{', '.join(self.categories)}." if self.categories else ""
        return " ".join(part for part in (listed, self.text) if part)


@dataclass(frozen=True)
class TextPart:
    """A stretch of prompt text; `trusted` text may hold the LLM's special tokens, untrusted text never."""

    text: str
    trusted: bool


@dataclass(frozen=True)
class EmbedsPart:
    """`length` positions of the prompt whose input embeddings come from the soft token table."""

    slot: Slot
    length: int


@dataclass(frozen=True)
class Prompt:
    """Text and embedding parts in the order in which the LLM reads them."""

    parts: tuple[TextPart | EmbedsPart, ...]
