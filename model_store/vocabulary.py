"""Vocabulary: what each behaviour code means to a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_store.types import NUM_CODES, BehaviorTokens, Side

_LABEL_WORDS = 3

Levels = tuple[tuple["CodeMeaning", ...], ...]
"""Meanings by level (6), then by code."""


@dataclass(frozen=True)
class CodeMeaning:
    """The words and items that are typical of a code's members, most typical first."""

    words: tuple[str, ...] = ()
    item_rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Meanings of all user codes and all item codes."""

    user: Levels
    item: Levels

    def meaning(self, side: Side, level: int, code: int) -> CodeMeaning:
        """Meaning of one code; level 0 is macro, 1 to 5 micro. IndexError beyond the vocabulary."""
        return (self.user if side == "user" else self.item)[level][code]

    def label(self, side: Side, level: int, code: int) -> str:
        """Up to three words for people, "spicy, noodles, late"; "code 17" for a code that has no words."""
        words = self.meaning(side, level, code).words
        return ", ".join(words[:_LABEL_WORDS]) or f"code {code}"

    def labels(self, side: Side, tokens: BehaviorTokens) -> tuple[str, ...]:
        """The labels of a node's 6 tokens, macro first."""
        return tuple(self.label(side, level, code) for level, code in enumerate(tokens.codes))

    def to_json(self) -> str:
        """The vocabulary as JSON text; the same vocabulary gives the same text."""
        sides = {"user": self.user, "item": self.item}
        return json.dumps({name: _to_lists(levels) for name, levels in sides.items()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Vocabulary:
        """The vocabulary of its JSON text. ValueError (KeyError, TypeError) where it is none."""
        sides: Mapping[str, Any] = json.loads(text)
        return cls(_from_lists(sides["user"]), _from_lists(sides["item"]))

    @classmethod
    def empty(cls, codebook_size: int) -> Vocabulary:
        """A vocabulary of this size in which no code has a meaning yet."""
        levels = ((CodeMeaning(),) * codebook_size,) * NUM_CODES
        return cls(levels, levels)

    def sizes(self) -> Iterator[int]:
        """Codes of each level, users' six levels first."""
        return (len(level) for side in (self.user, self.item) for level in side)


def _to_lists(levels: Levels) -> list[list[dict[str, list[Any]]]]:
    return [[{"words": list(m.words), "item_rows": list(m.item_rows)} for m in level] for level in levels]


def _from_lists(levels: Iterable[Iterable[Mapping[str, Any]]]) -> Levels:
    return tuple(
        tuple(CodeMeaning(tuple(map(str, m["words"])), tuple(map(int, m["item_rows"]))) for m in level)
        for level in levels
    )
