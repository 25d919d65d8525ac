"""What a text says that its user prefers, and whether they do: likes in training decide, not the text's own target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from training.data import ItemTable, Pairs, Rows
from training.facts import YEAR, FactTable, TasteConfig, Tastes
from training.intervals import Values, bootstrap
from training.phrasing import FRAME_WORDS, said_of
from training.target_content import short_titles

SENTENCES: Final = re.compile(r"(?<=[.!?])\s+")
TO_THE_USER: Final = re.compile(r"\byou(?:r|rs)?\b", re.IGNORECASE)
WORDS: Final = re.compile(r"\w[\w'\-]*")
LONGEST: Final = 10
"""Words of the longest title or fact that is looked for."""

Preference = Sequence[int]
"""Facts that the words of one statement may mean, by column."""


@dataclass(frozen=True, eq=False)
class PreferenceJudge:
    """Finds facts in what texts say to users, by the words with which facts are said. Titles are no preferences."""

    tastes: Tastes
    titles: Sequence[str]
    """Of every item, as texts name it."""

    @classmethod
    def of(
        cls, items: ItemTable, rows: Rows, train: Pairs, num_users: int, config: TasteConfig
    ) -> PreferenceJudge | None:
        """By the likes in `train` of items that stand at these rows of the table (-1: nowhere); None without facts."""
        table, titles = FactTable.of_items(items).take(rows), [*short_titles(items), ""]
        if not table.facts:
            return None
        return cls(Tastes(table, train, num_users, config), [titles[row] for row in rows.tolist()])

    @cached_property
    def _facts(self) -> dict[str, list[int]]:
        """Columns by what is said of them. A year is nobody's preference."""
        found: dict[str, list[int]] = {}
        for column, fact in enumerate(self.tastes.table.facts):
            said = {_plain(words).lower() for words in said_of(fact)} if fact.kind != YEAR else set()
            for words in said - FRAME_WORDS:
                found.setdefault(words, []).append(column)
        return found

    @cached_property
    def _titles(self) -> set[str]:
        return {_plain(title) for title in self.titles}

    def stated(self, text: str, title: str) -> list[Preference]:
        """The preferences that a text about the item of this title states.

        Looked for in sentences that speak to the user, up to where they name the item: what follows is said of it.
        """
        to_them = [part for part in SENTENCES.split(text) if TO_THE_USER.search(part)]
        said = [found for part in to_them for found in self._found(WORDS.findall(part), _plain(title))]
        return [self._facts[words] for words in dict.fromkeys(said)]

    def _found(self, words: Sequence[str], title: str) -> Iterator[str]:
        """Facts that are said before the title, the longest reading first."""
        at = 0
        while at < len(words):
            for size in range(min(LONGEST, len(words) - at), 0, -1):
                said = " ".join(words[at : at + size])
                if said == title:
                    return
                if said in self._titles:
                    break
                if said.lower() in self._facts:
                    yield said.lower()
                    break
            at += size

    def true_share(self, stated: Sequence[Sequence[Preference]], user_rows: Rows) -> Values:
        """Share of each text's preferences that the user's training likes show, (n,); NaN where none is stated."""
        shares = np.full(len(stated), np.nan)
        for at, (preferences, row) in enumerate(zip(stated, user_rows.tolist(), strict=True)):
            taste = self.tastes.of_user(row)
            if preferences:
                shares[at] = np.mean([taste.strengths(np.array(columns)).max() > 0 for columns in preferences])
        return shares

    def figures(
        self, texts: Sequence[str], titles: Sequence[str], users: tuple[Rows, Rows], samples: int, seed: int
    ) -> dict[str, Any]:
        """How true the preferences are that texts state, of the user they were written for and of another.

        `stated`: preferences a text; of the `texts` that state any, with intervals: the share `true` of their own user,
        of the other (`swapped`), and the `difference`. `users`: rows of the own and of the other user of each text.
        """
        stated = [self.stated(text, title) for text, title in zip(texts, titles, strict=True)]
        own, other = (self.true_share(stated, rows) for rows in users)
        told = ~np.isnan(own)
        found: dict[str, Any] = {"stated": float(np.mean([len(each) for each in stated])), "texts": int(told.sum())}
        if told.any():
            values = {"true": own[told], "swapped": other[told], "difference": own[told] - other[told]}
            found |= {name: bootstrap(each, samples, seed).to_json() for name, each in values.items()}
        return found


def _plain(words: str) -> str:
    """Words without what stands between them."""
    return " ".join(WORDS.findall(words))
