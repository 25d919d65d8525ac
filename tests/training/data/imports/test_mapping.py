"""Flags that say whose column is which."""

from pathlib import Path

import pytest

from training.data.errors import MappingError
from training.data.imports import ColumnMap


def test_what_is_not_said_has_its_canonical_name():
    """Said columns go before those of the canonical name; what is neither is left alone."""
    mapping = ColumnMap.of_flags(["items.title=name", "items.text=a", "items.text=b"])
    found = mapping.of("items", Path("items.csv"), ["item_id", "name", "title", "a", "b", "colour"])
    assert found == {"item_id": ("item_id",), "title": ("name",), "text": ("a", "b")}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"columns": ["items.title"]}, "expected TABLE.COLUMN=THEIRS"),
        ({"columns": ["itemz.title=x"]}, "'itemz' is none of interactions, items, users, explanations"),
        ({"columns": ["items.titel=x"]}, "'titel' is none of item_id, title, text, categories, facts"),
        ({"files": ["orders.csv"]}, "expected TABLE=PATTERN"),
        ({"files": ["orders=orders.csv"]}, "'orders' is none of interactions"),
        ({"delimiter": "||"}, "expected one character"),
        ({"facts": ["maker"]}, "expected KIND=COLUMN"),
    ],
)
def test_a_flag_that_cannot_be_is_explained(flags, said):
    """The flag, and what would do."""
    with pytest.raises(MappingError, match=said):
        ColumnMap.of_flags(**flags)


@pytest.mark.parametrize("flags", [{"columns": ["items.title=name"]}, {"facts": ["maker=name"]}])
def test_a_column_that_the_file_lacks_is_named(flags):
    """Together with those that it has."""
    with pytest.raises(MappingError, match=r"items\.csv: no column 'name', only item_id, blurb"):
        ColumnMap.of_flags(**flags).of("items", Path("items.csv"), ["item_id", "blurb"])


def test_a_column_without_which_there_is_no_table_is_asked_for():
    """With the flag that would map it."""
    with pytest.raises(MappingError, match=r"log\.csv: no column 'item_id'; .*: --column interactions\.item_id=THEIRS"):
        ColumnMap().of("interactions", Path("log.csv"), ["user_id", "sku"])
