"""Ids of several files come to one type, or the file that differs is named."""

import pyarrow as pa
import pytest

from tests.training.toy_data import table
from training.data.errors import DatasetError
from training.data.ids import common_ids
from training.data.table import Table


def untyped(file: str, *ids: str) -> Table:
    """A table as from CSV."""
    return Table(file, pa.table({"item_id": list(ids)}), typed=False)


def test_integers_written_as_text_are_integers_if_all_are() -> None:
    """One "B00X" or "007" in any file makes all of them texts."""
    assert common_ids("item", [untyped("a", "10", "9"), untyped("b", "-3")]).values.to_pylist() == [-3, 9, 10]
    assert common_ids("item", [untyped("a", "10", "9"), untyped("b", "007")]).values.to_pylist() == ["007", "10", "9"]


def test_typed_and_untyped_files_meet() -> None:
    """A Parquet file with integers and a CSV file that writes the same ones."""
    ids = common_ids("item", [table("a", item_id=[3, 1]), untyped("b", "2", "3")])

    assert ids.values.to_pylist() == [1, 2, 3]
    assert ids.rows_of(untyped("b", "2", "3")).tolist() == [1, 2]


def test_two_types_in_typed_files_are_refused() -> None:
    """Integers here and texts there never meet, so the file is named instead of joining nothing."""
    with pytest.raises(DatasetError, match=r"ints.*string id"):
        common_ids("item", [table("texts", item_id=["a"]), table("ints", item_id=[1])])


def test_an_id_that_must_be_unique_is_named_where_it_comes_again() -> None:
    """The later row is the wrong one."""
    items = table("items", item_id=[5, 6, 5])

    with pytest.raises(DatasetError, match=r"items, row 3, column 'item_id': expected every id once, found 5"):
        common_ids("item", [items]).rows_of(items, unique=True)
