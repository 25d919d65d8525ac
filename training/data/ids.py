"""Outside ids of several tables brought to one type, one order and, from there on, to rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model_store.id_map import IdMap
from training.data.dataset import Rows
from training.data.errors import DatasetError
from training.data.table import Table

INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
"""An integer exactly as it is written, and small enough for 64 bits."""


@dataclass(frozen=True, eq=False)
class CommonIds:
    """Distinct ids of one kind over all tables, ascending: id j has row j. `values` is an int64 or string array."""

    kind: Literal["user", "item"]
    values: pa.Array

    @property
    def count(self) -> int:
        """Number of distinct ids."""
        return len(self.values)

    def to_map(self) -> IdMap:
        """The IdMap that goes with the data set."""
        return IdMap.from_ids(self.values.to_pylist(), kind=self.kind)

    def rows_of(self, table: Table, *, unique: bool = False) -> Rows:
        """Row of every id in the table's column, (n,) int64. `unique`: DatasetError where an id comes twice."""
        column = f"{self.kind}_id"
        ids = _as_type(table, column, self.values.type)
        rows: Rows = pc.index_in(ids, value_set=self.values).to_numpy(zero_copy_only=False).astype(np.int64)
        if unique:
            _refuse_repeats(table, column, rows)
        return rows


def common_ids(kind: Literal["user", "item"], tables: Sequence[Table]) -> CommonIds:
    """The ids of `kind` in all tables that have them.

    Ids are integers if every table has integers, where text counts as integers when its file has no types (CSV) and
    all its ids are written as one. DatasetError where one typed table has integers and another strings.
    """
    column = f"{kind}_id"
    found = [table.ids(column) for table in tables]
    integers = all(_all_integers(table, ids) for table, ids in zip(tables, found, strict=True))
    target = pa.int64() if integers else pa.string()
    for table, ids in zip(tables, found, strict=True):
        if not integers and table.typed and pa.types.is_integer(ids.type):
            raise DatasetError(table.file, 1, column, "a string id, as in the other files", ids[0].as_py())
    distinct = pc.unique(pa.chunked_array([_as_type(table, column, target) for table in tables], target))
    return CommonIds(kind, distinct.take(pc.sort_indices(distinct)))


def _all_integers(table: Table, ids: pa.Array) -> bool:
    if pa.types.is_integer(ids.type):
        return True
    return not table.typed and bool(pc.all(pc.match_substring_regex(ids, INTEGER), min_count=0).as_py())


def _as_type(table: Table, column: str, target: pa.DataType) -> pa.Array:
    return table.ids(column).cast(target)


def _refuse_repeats(table: Table, column: str, rows: Rows) -> None:
    order = np.argsort(rows, kind="stable")
    again = order[1:][rows[order[1:]] == rows[order[:-1]]]
    if len(again):
        row = int(again.min())
        raise DatasetError(table.file, row + 1, column, "every id once", table.ids(column)[row].as_py())
