"""Catalog: what is known of every item. Histories: what every user has had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_store.id_map import IdMap
from model_store.string_table import StringTable
from model_store.types import Item


@dataclass(frozen=True, eq=False)
class RowLists:
    """A list of rows for each row, as one sparse matrix without values (compressed sparse rows).

    Shapes: indptr (num_rows + 1,) int64, indices (num_entries,) int32; row r has indices[indptr[r]:indptr[r + 1]].
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]

    @classmethod
    def from_pairs(cls, rows: ArrayLike, values: ArrayLike, num_rows: int) -> Self:
        """The lists of parallel (row, value) arrays, each in the order of its pairs. ValueError beyond num_rows."""
        rows = np.asarray(rows, np.int64)
        if rows.max(initial=-1) >= num_rows:
            raise ValueError(f"row {rows.max()} of {num_rows}")
        order = np.argsort(rows, kind="stable")
        indptr = np.zeros(num_rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=num_rows), out=indptr[1:])
        return cls(indptr, np.asarray(values, np.int32)[order])

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def of(self, row: int) -> NDArray[np.int32]:
        """The row's list, a view. IndexError unless 0 <= row < len."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def to_tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """The two arrays under `<prefix>.indptr` and `<prefix>.indices`."""
        return {f"{prefix}.indptr": self.indptr, f"{prefix}.indices": self.indices}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> Self:
        """The lists stored under `prefix`. KeyError where they are not; ValueError where the arrays do not fit."""
        indptr = np.asarray(tensors[f"{prefix}.indptr"], np.int64)
        indices = np.asarray(tensors[f"{prefix}.indices"], np.int32)
        if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
            raise ValueError(f"{prefix}: indptr does not divide {len(indices)} entries")
        return cls(indptr, indices)


@dataclass(frozen=True, eq=False)
class Histories(RowLists):
    """`of(user_row)`: item rows of the user's training interactions, oldest first where the data has times."""


@dataclass(frozen=True, eq=False)
class Categories:
    """Each item's categories: `names` holds every category once, `rows.of(item_row)` points into it."""

    names: StringTable
    rows: RowLists

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[str]]) -> Categories:
        """Categories of items in row order. Names get their rows in order of first appearance."""
        codes: dict[str, int] = {}
        entries: list[int] = []
        ends = [0]
        for names in lists:
            entries += [codes.setdefault(name, len(codes)) for name in names]
            ends.append(len(entries))
        return cls(StringTable.from_strings(codes), RowLists(np.array(ends, np.int64), np.array(entries, np.int32)))

    def of(self, row: int) -> tuple[str, ...]:
        """Names of one item's categories."""
        return tuple(self.names[int(code)] for code in self.rows.of(row))


@dataclass(frozen=True, eq=False)
class Catalog:
    """All items, in row order. Titles and texts are untrusted."""

    ids: IdMap
    titles: StringTable
    texts: StringTable
    """Empty where an item has none."""
    categories: Categories
    popularity: NDArray[np.int64]
    """(num_items,): training interactions of each item."""

    @classmethod
    def from_items(cls, ids: IdMap, items: Iterable[Item], popularity: ArrayLike) -> Catalog:
        """Catalog of the items in the order of their rows."""
        items = list(items)
        return cls(
            ids,
            StringTable.from_strings(item.title for item in items),
            StringTable.from_strings(item.text for item in items),
            Categories.from_lists(item.categories for item in items),
            np.asarray(popularity, np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def item(self, row: int) -> Item:
        """The item in this row. IndexError unless 0 <= row < len."""
        return Item(self.ids.to_id(row), self.titles[row], self.texts[row], self.categories.of(row))

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """Everything but the ids, which live with the users' in a file of their own."""
        return {
            **self.titles.to_tensors("titles"),
            **self.texts.to_tensors("texts"),
            **self.categories.names.to_tensors("categories.names"),
            **self.categories.rows.to_tensors("categories.rows"),
            "popularity": self.popularity,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], ids: IdMap) -> Catalog:
        """The catalog stored in these tensors. KeyError, ValueError as of its tables."""
        names = StringTable.from_tensors(tensors, "categories.names")
        return cls(
            ids,
            StringTable.from_tensors(tensors, "titles"),
            StringTable.from_tensors(tensors, "texts"),
            Categories(names, RowLists.from_tensors(tensors, "categories.rows")),
            np.asarray(tensors["popularity"], np.int64),
        )
