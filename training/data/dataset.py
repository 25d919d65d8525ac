"""Dataset: what every reader yields and every stage takes. Inside it there are matrix rows only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.id_map import IdMap
from model_store.string_table import StringTable
from model_store.types import Item

Rows = NDArray[np.int64]
"""Matrix rows (or, where said, positions in a table)."""

SPLITS = ("train", "valid", "test")
"""Names of the split codes 0, 1, 2."""


class Pairs(NamedTuple):
    """(user, item) pairs, one at each position. Shapes: users (n,), items (n,), both int64 rows."""

    users: Rows
    items: Rows

    @property
    def num_pairs(self) -> int:
        """Number of pairs (`len` is that of the tuple: 2)."""
        return len(self.users)

    def take(self, positions: NDArray[np.generic]) -> Pairs:
        """The pairs at these positions, or those where a mask is true."""
        return Pairs(self.users[positions], self.items[positions])

    def keys(self, num_items: int) -> Rows:
        """One number a pair, equal only for equal pairs: user * num_items + item. Shape (n,)."""
        keys: Rows = self.users * np.int64(num_items) + self.items
        return keys


@dataclass(frozen=True, eq=False)
class Interactions:
    """Who met what. Shapes: every column (n,); users and items are rows.

    `ratings` float32, `timestamps` int64 seconds, `splits` uint8 codes of SPLITS; None where the data has none.
    """

    users: Rows
    items: Rows
    ratings: NDArray[np.float32] | None = None
    timestamps: NDArray[np.int64] | None = None
    splits: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def pairs(self) -> Pairs:
        """The (user, item) column pair."""
        return Pairs(self.users, self.items)


@dataclass(frozen=True, eq=False)
class ItemTable:
    """The catalogue by item row: `items[row]` is its Item. Titles are never empty, texts may be.

    `facts` are structured statements "kind: value" ("director: Ridley Scott"), from which explanation targets are
    built where a dataset has none (training.supervision).
    """

    ids: IdMap
    titles: StringTable
    texts: StringTable
    categories: tuple[tuple[str, ...], ...]
    facts: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Item:
        return Item(self.ids.to_id(row), self.titles[row], self.texts[row], self.categories[row])

    def __iter__(self) -> Iterator[Item]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, eq=False)
class Explanations:
    """Reference explanations by position. Shapes: users, items (n,) rows; texts and every column of `extra` n long.

    `extra` keeps the file's other text columns (title, user_profile, item_profile, *_prediction) for evaluation.
    """

    users: Rows
    items: Rows
    texts: tuple[str, ...]
    extra: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def pairs(self) -> Pairs:
        """The (user, item) column pair."""
        return Pairs(self.users, self.items)

    def take(self, positions: Rows) -> Explanations:
        """The rows at these positions, in that order."""
        chosen = [int(position) for position in positions]
        extra = {name: tuple(column[i] for i in chosen) for name, column in self.extra.items()}
        return Explanations(self.users[chosen], self.items[chosen], tuple(self.texts[i] for i in chosen), extra)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A whole dataset. Users and items are rows in the ascending order of their outside ids.

    `user_texts` (one a user, may be empty) and `user_groups` ("gender: F", for bias probes only) are None where the
    data has none. `terms`: under which the data may be used, as shown to whoever trains on it.
    """

    name: str
    terms: str
    user_ids: IdMap
    item_ids: IdMap
    interactions: Interactions
    items: ItemTable
    user_texts: StringTable | None = None
    user_groups: tuple[tuple[str, ...], ...] | None = None
    explanations: Explanations | None = None

    @property
    def num_users(self) -> int:
        """Number of user rows."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """Number of item rows."""
        return len(self.item_ids)


def digest(dataset: Dataset) -> str:
    """SHA-256 (hexadecimal) of everything a model could learn from: equal data, equal digest, whatever the files."""
    parts = hashlib.sha256()
    for array in _arrays_of(dataset):
        parts.update(f"{array.dtype}{array.shape}".encode())
        parts.update(np.ascontiguousarray(array).tobytes())
    parts.update(repr((dataset.items.categories, dataset.items.facts, dataset.user_groups)).encode())
    if dataset.explanations is not None:
        parts.update(repr((dataset.explanations.texts, sorted(dataset.explanations.extra.items()))).encode())
    return parts.hexdigest()


def _arrays_of(dataset: Dataset) -> Iterator[NDArray[np.generic]]:
    log = dataset.interactions
    for ids in (dataset.user_ids.ids, dataset.item_ids.ids):
        yield from (ids.blob, ids.offsets) if isinstance(ids, StringTable) else (ids,)
    for column in (log.users, log.items, log.ratings, log.timestamps, log.splits):
        yield np.zeros(0) if column is None else column
    for texts in (dataset.items.titles, dataset.items.texts, dataset.user_texts):
        yield from () if texts is None else (texts.blob, texts.offsets)
    if dataset.explanations is not None:
        yield from dataset.explanations.pairs
