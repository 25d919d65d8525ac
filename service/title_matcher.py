"""Which of a catalogue's titles a text names."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.string_table import StringTable

_WORD: Final = re.compile(r"\w+(?:['\u2019]\w+)*")
_YEAR: Final = re.compile(r"\s*\(\d{4}\)\s*$")
_POSSESSIVE: Final = re.compile(r"['\u2019]s$")
_OPENING, _CLOSING = "\"'\u201c\u201e\u00ab\u2018*", "\"'\u201d\u201c\u00bb\u2019*"
_MAX_WORDS: Final = 12
"""Words of a title that are compared; longer ones are told apart by their first twelve."""
_MIN_PROPER: Final = 2
"""Capitalised words that make a title recognisable without quotation marks."""


class _Word(NamedTuple):
    text: str
    start: int
    end: int


class TitleMatcher:
    """Finds titles in texts, at word boundaries, whatever their length and number.

    A title of several words of which two begin with a capital or a digit is found where these words stand as it writes
    them. All others ("Heat", "as good as new", a category's name) are also ordinary words: they count only between
    quotation marks, in any case. A year in brackets at a title's end and a possessive 's do not matter.

    The table is a sorted hash of each title's words, 12 bytes a title: an automaton over a million titles would take
    hundreds of megabytes, and a text has only a few hundred words to look up.
    """

    def __init__(self, titles: Sequence[str] | StringTable, *, ordinary: Iterable[str] = ()) -> None:
        """`titles` are read again where a text may name one; `ordinary` are words that alone name none of them."""
        self._titles = titles
        self._ordinary = {_key(_words(name)) for name in ordinary}
        lengths, keys = set(), np.empty(len(titles), np.int64)
        for row, title in enumerate(titles):
            words = _words(title)
            lengths.add(len(words))
            keys[row] = hash(_key(words))
        self._lengths = sorted(lengths - {0})
        order = np.argsort(keys)
        self._keys, self._rows = keys[order], order.astype(np.int32)

    def other(self, text: str, allowed: Sequence[str]) -> str | None:
        """A title that `text` names outside of every mention of an allowed one; None if there is none."""
        text = _folded(text)
        words = _spans(text)
        starts, ends = self._windows(len(words))
        keys = [_key(words[start:end]) for start, end in zip(starts, ends, strict=True)]
        allowed_keys = {_key(_words(title)) for title in allowed}
        fine = [(start, end) for start, end, key in zip(starts, ends, keys, strict=True) if key in allowed_keys]
        for start, end, row in self._found(starts, ends, keys):
            if any(low <= start and end <= high for low, high in fine):
                continue
            if self._names(text, words[start:end], self._titles[row]):
                return self._titles[row]
        return None

    def _windows(self, count: int) -> tuple[list[int], list[int]]:
        pairs = [(start, start + n) for start in range(count) for n in self._lengths if start + n <= count]
        return [start for start, _ in pairs], [end for _, end in pairs]

    def _found(self, starts: list[int], ends: list[int], keys: list[str]) -> Iterable[tuple[int, int, int]]:
        """Windows whose words may be a title's, and that title's row."""
        hashes: NDArray[np.int64] = np.array([hash(key) for key in keys], np.int64)
        lows, highs = np.searchsorted(self._keys, hashes), np.searchsorted(self._keys, hashes, "right")
        for window in np.flatnonzero(highs > lows).tolist():
            for place in range(lows[window], highs[window]):
                yield starts[window], ends[window], int(self._rows[place])

    def _names(self, text: str, found: Sequence[_Word], title: str) -> bool:
        words = _words(title)
        if _key(words) != _key(found):  # two keys with one hash
            return False
        if _quoted(text, found[0].start, found[-1].end):
            return True
        proper = sum(word.text[0].isupper() or word.text[0].isdigit() for word in words) >= _MIN_PROPER
        same = [word.text for word in words] == [word.text for word in found]
        return proper and same and _key(words) not in self._ordinary


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _spans(text: str) -> list[_Word]:
    return [_Word(_POSSESSIVE.sub("", match[0]), match.start(), match.end()) for match in _WORD.finditer(text)]


def _words(title: str) -> list[_Word]:
    return _spans(_YEAR.sub("", _folded(title)))[:_MAX_WORDS]


def _key(words: Sequence[_Word]) -> str:
    return " ".join([word.text for word in words]).casefold()


def _quoted(text: str, start: int, end: int) -> bool:
    after = text[end:].lstrip(".,!?")[:1]
    return bool(after) and after in _CLOSING and text[start - 1 : start] in tuple(_OPENING)
