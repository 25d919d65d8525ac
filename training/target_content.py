"""What may be said of a pair, truthfully: the content of a target before its words.

Preferences come from the user's training likes, facts from the item, the links between both from shared facts and from
other users' likes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import ItemTable, Rows
from training.facts import BROAD_KINDS, DECADE, KEYWORD, YEAR, Fact, Tastes, entries, likeness
from training.phrasing import UNSAID_KEYWORDS

MAX_OF_A_KIND: Final = 2
"""Preferences of one kind that a text may name."""
MAX_TASTES: Final = 4
EXAMPLES: Final = 4
"""Past items from which a text may choose, in all and for each preference."""
MIN_LINK_RARITY: Final = 1.5
"""Summed rarity of what two items must share to be called alike: a mere drama shares too little with another."""
MAX_SHARED: Final = 3
MIN_FANS: Final = 5
MIN_FANS_LIFT: Final = 1.25
"""When "many who liked A liked B" may be said: users besides this one, and how many more than by chance."""
LONGEST_STORY_WORDS: Final = 20


@dataclass(frozen=True)
class Taste:
    """A preference and the rows of the user's likes that show it."""

    fact: Fact
    supports: tuple[int, ...]


@dataclass(frozen=True)
class Liked:
    """A past item by which a text may show a preference."""

    row: int
    title: str


@dataclass(frozen=True)
class Link:
    """A past item and what the item shares with it."""

    liked: Liked
    common: tuple[Fact, ...]


@dataclass(frozen=True)
class Content:
    """What may be said of a pair, the best first in every list."""

    title: str
    tastes: tuple[Taste, ...]
    """Preferences that the item meets; if not `meets`, the user's own, as it meets none."""
    meets: bool
    liked: tuple[Liked, ...]
    """Past items, those most like the item first."""
    facts: tuple[Fact, ...]
    """The item's facts."""
    link: Link | None
    """The past item most like the item; only where no preference is met."""
    fans_of: Liked | None
    """A past item of whose other fans many like the item."""
    story: str
    """A short sentence of the item's own text, or ""."""


class Narrator:
    """Finds what may be said, user by user."""

    def __init__(self, items: ItemTable, tastes: Tastes) -> None:
        self._tastes = tastes
        self._table = tastes.table
        self._titles = short_titles(items)
        self._titles_as_rows = np.unique(self._titles, return_inverse=True)[1]
        self._texts = items.texts
        unsaid = [fact.kind == KEYWORD and fact.value.lower() in UNSAID_KEYWORDS for fact in self._table.facts]
        self._sayable = ~np.array(unsaid, bool)

    def of_user(self, user_row: int, item_rows: Rows) -> list[Content]:
        """The contents for several items and one user."""
        taste = self._tastes.of_user(user_row)
        everything = np.arange(len(self._table.facts))
        habits = self._mixed(_strongest(everything, taste.strengths(everything) * self._sayable))
        shown_by = self._table.matrix[taste.history].tocsc()  # (len(history), num_facts)
        alike = likeness(self._table, taste.history, item_rows)
        contents = []
        for item_row, scores in zip(item_rows.tolist(), alike.T, strict=True):
            past = _Past.of_item(taste.history, scores, self._titles_as_rows == self._titles_as_rows[item_row])
            columns = self._table.of(item_row)
            strengths = taste.strengths(columns, without_one=item_row in taste.history) * self._sayable[columns]
            met = self._mixed(_strongest(columns, strengths))
            preferred = met or [column for column in habits if column not in columns]
            tastes = [Taste(self._table.facts[at], past.rows_of(entries(shown_by, at))) for at in preferred]
            contents.append(self._content(user_row, item_row, past, tuple(tastes), meets=bool(met)))
        return contents

    def _content(self, user_row: int, item_row: int, past: _Past, tastes: tuple[Taste, ...], *, meets: bool) -> Content:
        told = [column for column in self._table.of(item_row).tolist() if self._sayable[column]]
        facts = tuple(self._table.facts[column] for column in self._told_first(told))
        lacking = not meets or sum(fact.kind == KEYWORD for fact in facts) < 2
        return Content(
            title=self._titles[item_row],
            tastes=tastes,
            meets=meets,
            liked=self._examples(tastes, past),
            facts=facts,
            link=None if meets else self._link(item_row, past),
            fans_of=self._fans_of(user_row, item_row, past) if lacking else None,
            story=first_sentence(self._texts[item_row]),
        )

    def _mixed(self, columns: Sequence[int]) -> list[int]:
        """Broad and specific preferences in turn, at most MAX_OF_A_KIND of a kind."""
        taken: Counter[str] = Counter()
        kept = []
        for column in columns:
            taken[self._table.facts[column].kind] += 1
            if taken[self._table.facts[column].kind] <= MAX_OF_A_KIND:
                kept.append(column)
        broad = [column for column in kept if self._table.facts[column].kind in BROAD_KINDS]
        specific = [column for column in kept if self._table.facts[column].kind not in BROAD_KINDS]
        turns = chain.from_iterable(zip_longest(broad, specific))
        return [column for column in turns if column is not None][:MAX_TASTES]

    def _examples(self, tastes: Sequence[Taste], past: _Past) -> tuple[Liked, ...]:
        """The nearest past items of all and of each preference, the nearest first and no title twice."""
        rows = set(past.nearest[:EXAMPLES]).union(*(taste.supports[:EXAMPLES] for taste in tastes))
        named = {self._titles[row]: row for row in sorted(rows, key=past.rank_of, reverse=True)}
        return tuple(Liked(row, title) for title, row in reversed(named.items()))

    def _told_first(self, columns: Sequence[int]) -> list[int]:
        """The item's facts, of its keywords those first that other items have too: only these can be learned."""
        alone = np.log(self._table.matrix.shape[0])
        return sorted(columns, key=lambda column: self._table.rarity[column] >= alone)

    def _link(self, item_row: int, past: _Past) -> Link | None:
        """The past item most like this one, with the rarest sayable facts that both have."""
        if not past.nearest:
            return None
        nearest = past.nearest[0]
        mine = self._table.of(item_row)
        common = mine[np.isin(mine, self._table.of(nearest)) & self._sayable[mine]]
        common = [at for at in common.tolist() if self._table.facts[at].kind not in (YEAR, DECADE)]
        if self._table.rarity[common].sum() < MIN_LINK_RARITY:
            return None
        rarest = sorted(common, key=lambda at: -self._table.rarity[at])[:MAX_SHARED]
        return Link(Liked(nearest, self._titles[nearest]), tuple(self._table.facts[at] for at in rarest))

    def _fans_of(self, user_row: int, item_row: int, past: _Past) -> Liked | None:
        for row in past.nearest[:EXAMPLES]:
            both, lift = self._tastes.liked_together(item_row, row, besides=user_row)
            if both >= MIN_FANS and lift >= MIN_FANS_LIFT:
                return Liked(row, self._titles[row])
        return None


@dataclass(frozen=True, eq=False)
class _Past:
    """A user's history seen from one item, without that item and its namesakes (some data lists an item twice).

    Shapes: history (num_liked,) rows; ranks (num_liked,), 0 for the one most like the item, -1 for those left out.
    """

    history: Rows
    ranks: Rows
    nearest: list[int]

    @classmethod
    def of_item(cls, history: Rows, likeness_to: NDArray[np.float64], namesakes: NDArray[np.bool_]) -> _Past:
        order = np.argsort(-likeness_to, kind="stable")
        order = order[~namesakes[history[order]]]
        ranks = np.full(len(history), -1)
        ranks[order] = np.arange(len(order))
        return cls(history, ranks, history[order].tolist())

    def rows_of(self, positions: Rows) -> tuple[int, ...]:
        """The rows at these positions of the history, the nearest first, without those left out."""
        kept = positions[self.ranks[positions] >= 0]
        return tuple(self.history[kept[np.argsort(self.ranks[kept])]].tolist())

    def rank_of(self, row: int) -> int:
        return int(self.ranks[self.history.searchsorted(row)])


def short_titles(items: ItemTable) -> list[str]:
    """Titles as they stand in running text: without the year, where no other item has the same title then."""
    titles = list(items.titles)
    bare = [re.sub(r" \([12]\d{3}\)$", "", title) for title in titles]
    namesakes = Counter(dict.fromkeys(zip(bare, titles, strict=True)))
    shared = Counter(name for name, _ in namesakes)
    return [name if shared[name] == 1 else title for name, title in zip(bare, titles, strict=True)]


def first_sentence(text: str) -> str:
    """The text's first sentence; "" where it is longer than LONGEST_STORY_WORDS or does not end as one."""
    found = re.match(r"(.+?[a-z0-9\"')]{2}[.!?])(?= |$)", text)
    return found[1] if found and len(found[1].split()) <= LONGEST_STORY_WORDS else ""


def _strongest(columns: Rows, strengths: NDArray[np.float64]) -> list[int]:
    """The columns of positive strength, the strongest first."""
    order = np.argsort(-strengths, kind="stable")
    ordered: list[int] = columns[order[strengths[order] > 0]].tolist()
    return ordered
