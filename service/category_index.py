"""Which items a filter on categories lets through."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Categories, RowLists
from service.recommendation import CategoryFilter

_KEPT_FILTERS = 32
"""Answers kept, a byte for each item of the catalogue: most requests ask for one of few filters."""


class CategoryIndex:
    """The items of every category, turned around once from the categories of every item."""

    def __init__(self, categories: Categories) -> None:
        self._num_items = len(categories.rows)
        self._codes: dict[str, int] = {}  # names that differ in case alone are one category
        shared = np.array([self._codes.setdefault(name.casefold(), code) for code, name in enumerate(categories.names)])
        item_rows = np.repeat(np.arange(self._num_items), np.diff(categories.rows.indptr))
        codes = shared[categories.rows.indices] if len(shared) else categories.rows.indices
        self._items = RowLists.from_pairs(codes, item_rows, len(shared))
        self.allowed = lru_cache(_KEPT_FILTERS)(self._allowed)

    def unknown(self, wanted: CategoryFilter) -> list[str]:
        """The filter's names that no item's category has, in order, each once."""
        names = dict.fromkeys((*wanted.any_of, *wanted.all_of, *wanted.none_of))
        return [name for name in names if name.casefold() not in self._codes]

    def _allowed(self, wanted: CategoryFilter) -> NDArray[np.bool_]:
        """Whether each item passes. Shapes: (num_items,), read-only."""
        allowed = self._union(wanted.any_of) if wanted.any_of else np.ones(self._num_items, np.bool_)
        for name in wanted.all_of:
            allowed &= self._union([name])
        allowed &= ~self._union(wanted.none_of)
        allowed.flags.writeable = False  # it is kept and handed out again
        return allowed

    def _union(self, names: Iterable[str]) -> NDArray[np.bool_]:
        found = np.zeros(self._num_items, np.bool_)
        for name in names:
            code = self._codes.get(name.casefold())
            if code is not None:
                found[self._items.of(code)] = True
        return found
