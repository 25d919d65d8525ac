"""What items are made of and what users like in them: facts as sparse matrices.

A fact is a statement "kind: value" about an item. What a user likes is a fact that comes more often among their liked
items than among everybody's (lift), and often enough among theirs to be no accident.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from training.data.dataset import ItemTable, Pairs, Rows

GENRE: Final = "genre"
CATEGORY: Final = "category"
YEAR: Final = "year"
DECADE: Final = "decade"
DIRECTOR: Final = "director"
CAST: Final = "cast"
KEYWORD: Final = "keyword"


@dataclass(frozen=True)
class Fact:
    """One fact: its kind ("genre", "director" ...) and value."""

    kind: str
    value: str


@dataclass(frozen=True, eq=False)
class FactTable:
    """Facts of every item. Shapes: `facts` (num_facts,); `matrix` (num_items, num_facts) CSR of 0 and 1.

    `rarity` (num_facts,) float64 is log(num_items / items with the fact): 0 for what all items share.
    """

    facts: tuple[Fact, ...]
    matrix: Any
    rarity: NDArray[np.float64]

    @classmethod
    def of_items(cls, items: ItemTable) -> FactTable:
        """The items' facts, with a decade for each year; for data without facts, the categories."""
        columns: dict[Fact, int] = {}
        indptr: list[int] = [0]
        indices: list[int] = []
        for row in range(len(items)):
            found = _facts_of(items.facts[row], items.categories[row])
            indices.extend(columns.setdefault(fact, len(columns)) for fact in dict.fromkeys(found))
            indptr.append(len(indices))
        ones = np.ones(len(indices))
        return cls.saying(tuple(columns), sp.csr_matrix((ones, indices, indptr), shape=(len(items), len(columns))))

    @classmethod
    def saying(cls, facts: tuple[Fact, ...], matrix: Any) -> FactTable:
        """These facts of the items that have them. Shapes: matrix (num_items, num_facts) CSR of 0 and 1."""
        counts = np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1)
        return cls(facts, matrix, np.log(matrix.shape[0] / counts))

    def take(self, rows: Rows) -> FactTable:
        """The facts of these rows, in that order; -1 has none."""
        silent = sp.csr_matrix((1, self.matrix.shape[1]))
        return FactTable(self.facts, sp.vstack([self.matrix, silent], "csr")[rows], self.rarity)

    def of(self, item_row: int) -> Rows:
        """Columns of an item's facts, in the order in which the data lists them."""
        return entries(self.matrix, item_row)


@dataclass(frozen=True)
class TasteConfig:
    """What counts as a preference."""

    min_lift: float = 1.2
    """How much more often than among everybody's likes a fact must come among a user's."""
    min_count: int = 2
    """Liked items, other than the one explained, that must have it."""
    min_share: float = 0.02
    """Share of the user's liked items that must have it."""
    min_broad_share: float = 0.1
    """The same for broad kinds (genre, category, decade), of which every item has one."""
    max_common_share: float = 0.6
    """A fact of more than this share of everybody's likes tells nothing about anyone."""


NEVER: Final = 2.0
"""A share that no fact reaches."""
BROAD_KINDS: Final = frozenset({GENRE, CATEGORY, DECADE})


@dataclass(frozen=True, eq=False)
class UserTaste:
    """What one user likes, by fact. Shapes: history (num_liked,) rows, ascending; counts (num_facts,) of them."""

    history: Rows
    counts: NDArray[np.float64]
    rules: _Rules

    def strengths(self, columns: Rows, *, without_one: bool = False) -> NDArray[np.float64]:
        """How strongly the user prefers the facts, (len(columns),): count * log(lift), 0 where it is no preference.

        `without_one`: as if they had not liked one item that has all of these facts: a liked item does not speak for
        itself.
        """
        size = np.full(len(columns), len(self.history) - without_one)
        return self.rules.strengths(self.counts[columns] - without_one, size, columns)


@dataclass(frozen=True, eq=False)
class _Rules:
    """A TasteConfig spelt out for every fact. Shapes: rates, min_shares (num_facts,)."""

    rates: NDArray[np.float64]
    min_shares: NDArray[np.float64]
    min_count: int
    min_lift: float

    def strengths(self, counts: NDArray[np.float64], sizes: Rows, columns: Rows) -> NDArray[np.float64]:
        """Of facts that come so often in histories of these sizes, (n,) each."""
        enough = (counts >= np.maximum(self.min_shares[columns] * sizes, 1)) & (counts >= self.min_count)
        lift = counts[enough] / (sizes[enough] * self.rates[columns[enough]])
        strengths = np.zeros(len(columns))
        strengths[enough] = np.where(lift >= self.min_lift, counts[enough] * np.log(lift), 0.0)
        return strengths


class Tastes:
    """Preferences of all users, from the training likes alone."""

    def __init__(self, table: FactTable, train: Pairs, num_users: int, config: TasteConfig) -> None:
        self.table = table
        shape = (num_users, table.matrix.shape[0])
        self._likes = sp.csr_matrix((np.ones(train.num_pairs), (train.users, train.items)), shape=shape)
        self._likes.sum_duplicates()
        self._likes.data[:] = 1.0
        self._fans = self._likes.tocsc()
        self._counts = (self._likes @ table.matrix).tocsr()
        rates = np.asarray(self._counts.sum(axis=0)).ravel() / max(self._likes.nnz, 1)  # of all likes
        broad = [fact.kind in BROAD_KINDS for fact in table.facts]
        silent = (rates > config.max_common_share) | np.array([fact.kind == YEAR for fact in table.facts], bool)
        shares = np.where(broad, config.min_broad_share, config.min_share)
        self._rules = _Rules(rates, np.where(silent, NEVER, shares), config.min_count, config.min_lift)

    def of_user(self, user_row: int) -> UserTaste:
        """One user's preferences."""
        counts = np.zeros(len(self.table.facts))
        mine = slice(self._counts.indptr[user_row], self._counts.indptr[user_row + 1])
        counts[self._counts.indices[mine]] = self._counts.data[mine]
        return UserTaste(entries(self._likes, user_row), counts, self._rules)

    def strengths(self) -> Any:
        """How strongly every user prefers every fact, as `UserTaste.strengths`: (num_users, num_facts) CSR."""
        counts, sizes = self._counts.tocoo(), np.diff(self._likes.indptr)
        strengths = self._rules.strengths(counts.data, sizes[counts.row], counts.col)
        found = sp.csr_matrix((strengths, (counts.row, counts.col)), shape=counts.shape)
        found.eliminate_zeros()
        return found

    def fans(self, item_row: int) -> Rows:
        """Rows of the users who liked the item in training, ascending."""
        return entries(self._fans, item_row)

    def liked_together(self, item_row: int, other_row: int, *, besides: int) -> tuple[int, float]:
        """How many users other than `besides` liked both items, and how much more than by chance (lift)."""
        fans, others = (rows[rows != besides] for rows in (self.fans(item_row), self.fans(other_row)))
        both = len(np.intersect1d(fans, others, assume_unique=True))
        by_chance = len(fans) * len(others) / max(self._likes.shape[0], 1)
        return both, both / by_chance if by_chance else 0.0


def history_similar(tastes: Tastes, user_row: int, item_row: int, *, count: int) -> Rows:
    """Up to `count` items that the user liked in training and that share facts with the item, most alike first.

    Likeness is the summed rarity of the shared facts; the item itself is left out.
    """
    history = tastes.of_user(user_row).history
    history = history[history != item_row]
    scores = likeness(tastes.table, history, np.array([item_row]))[:, 0]
    order = np.argsort(-scores, kind="stable")[:count]
    alike: Rows = history[order[scores[order] > 0]]
    return alike


def likeness(table: FactTable, rows: Rows, others: Rows) -> NDArray[np.float64]:
    """Summed rarity of the facts that items share. Shape (len(rows), len(others))."""
    weighted = table.matrix[rows].multiply(table.rarity).tocsr()
    scores: NDArray[np.float64] = (weighted @ table.matrix[others].T).toarray()
    return scores


def _facts_of(facts: tuple[str, ...], categories: tuple[str, ...]) -> Iterable[Fact]:
    if not facts:
        yield from (Fact(CATEGORY, category) for category in categories)
    for statement in facts:
        kind, _, value = statement.partition(": ")
        yield Fact(kind, value)
        if kind == YEAR and value.isdecimal():
            yield Fact(DECADE, f"{value[:-1]}0s")


def entries(matrix: Any, index: int) -> Rows:
    """Where a row (CSR) or a column (CSC) of a sparse matrix has entries: (num_entries,) int64."""
    return np.asarray(matrix.indices[matrix.indptr[index] : matrix.indptr[index + 1]], np.int64)
