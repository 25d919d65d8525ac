"""What TMDB tells of films: the tables movies.csv and credits.csv of the "TMDB 5000" set, inside a wheel.

The wheel also holds a pickle; it is never opened.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.errors import DatasetError
from training.data.movie_titles import Film
from training.data.table import Table, read_member

MOVIES_FILE: Final = "model/datasets/movies.csv"
CREDITS_FILE: Final = "model/datasets/credits.csv"
CAST_SHOWN: Final = 5
TECHNICAL_KEYWORDS: Final = frozenset({"aftercreditsstinger", "duringcreditsstinger", "3d", "imax"})
LONGEST_PHRASE: Final = 3
PROPER_SHARE: Final = 0.9
"""A word is a name if at least this share of its places within sentences begin with a capital."""
SEEN_ENOUGH: Final = 3
TOLD_COLUMNS: Final = ("id", "overview", "genres", "keywords", "release_date")


@dataclass(frozen=True)
class FilmFacts:
    """What TMDB tells of one film. Keywords are spelt as in running text ("Los Angeles", "space travel")."""

    overview: str
    genres: tuple[str, ...]
    keywords: tuple[str, ...]
    directors: tuple[str, ...]
    cast: tuple[str, ...]


class FilmTable:
    """The wheel's films: `films` in table order, and the facts of the one at a position, told when asked for."""

    def __init__(self, wheel: Path) -> None:
        movies, credits = read_member(wheel, MOVIES_FILE), read_member(wheel, CREDITS_FILE)
        self._file = movies.file
        self._columns = {name: _texts(movies, name) for name in ("title", "original_title", *TOLD_COLUMNS)}
        crew = zip(_texts(credits, "cast"), _texts(credits, "crew"), strict=True)
        self._crew_of = dict(zip(_texts(credits, "movie_id"), crew, strict=True))
        self._spelling = _Spelling(self._columns["overview"])
        names = zip(self._columns["title"], self._columns["original_title"], strict=True)
        years = map(_year, self._columns["release_date"])
        self.films = [Film(titles, year) for titles, year in zip(names, years, strict=True)]

    def facts(self, at: int) -> FilmFacts:
        """What is told of the film at this position. DatasetError where a list of it cannot be read."""
        cast, crew = (self._entries(text, at) for text in self._crew_of.get(self._columns["id"][at], ("[]", "[]")))
        genres, keywords = (self._entries(self._columns[name][at], at) for name in ("genres", "keywords"))
        return FilmFacts(
            overview=" ".join(self._columns["overview"][at].split()),
            genres=_distinct(entry["name"] for entry in genres),
            keywords=_distinct(
                self._spelling.of(entry["name"]) for entry in keywords if entry["name"] not in TECHNICAL_KEYWORDS
            ),
            directors=_distinct(entry["name"] for entry in crew if entry["job"] == "Director"),
            cast=_distinct(entry["name"] for entry in cast)[:CAST_SHOWN],
        )

    def _entries(self, text: str, at: int) -> list[dict[str, str]]:
        try:
            found: list[dict[str, str]] = json.loads(text)
        except ValueError:
            raise DatasetError(self._file, at + 1, None, "a JSON list", text[:60]) from None
        return found


class _Spelling:
    """How keywords, which TMDB writes in lower case, are spelt in running text: learned from all overviews."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._forms: dict[str, Counter[str]] = {}
        for phrase in (phrase for text in texts for phrase in _phrases_within_sentences(text)):
            self._forms.setdefault(phrase.lower(), Counter())[phrase] += 1

    def of(self, keyword: str) -> str:
        """The keyword as it is mostly written, else word by word."""
        forms = self._forms.get(keyword)
        if forms and " " in keyword:
            return forms.most_common(1)[0][0]
        return re.sub(r"[\w.]+", lambda word: self._word(word[0]), keyword)

    def _word(self, word: str) -> str:
        forms = self._forms.get(word, Counter())
        capitals = sum(count for form, count in forms.items() if form[0].isupper())
        if capitals < max(SEEN_ENOUGH, PROPER_SHARE * forms.total()):
            return word
        return next(form for form, _ in forms.most_common() if form[0].isupper())


def _phrases_within_sentences(text: str) -> Iterator[str]:
    """Runs of up to three words, without each sentence's first word: its capital says nothing."""
    for sentence in re.split(r"(?<=[.!?:;\"(])\s+|\s[-\u2013\u2014]\s", text):
        words = re.findall(r"[\w.']*\w", sentence)[1:]
        for start in range(len(words)):
            yield from (" ".join(words[start : start + length]) for length in range(1, LONGEST_PHRASE + 1))


def _texts(table: Table, column: str) -> list[str]:
    return [text or "" for text in table.texts(column) or []]


def _year(date: str) -> int:
    return int(date[:4]) if date[:4].isdecimal() else 0


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
