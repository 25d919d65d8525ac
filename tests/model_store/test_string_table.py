from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_store.string_table import StringTable


@given(st.lists(st.text()))
def test_strings_come_back_as_they_were(strings):
    """Any Unicode text, empty strings too, in order, straight and through tensors."""
    table = StringTable.from_strings(strings)
    assert list(table) == strings
    assert list(StringTable.from_tensors(table.to_tensors("titles"), "titles")) == strings
    assert len(table) == len(strings)


@pytest.mark.parametrize("row", [-1, 2, 10**9])
def test_a_row_outside_the_table_is_an_index_error(row):
    """A negative row is no row from the end: it is a mistake."""
    with pytest.raises(IndexError, match="table of 2"):
        StringTable.from_strings(["a", "b"])[row]


def test_a_lone_surrogate_is_refused_when_the_table_is_made():
    """What is no valid Unicode cannot be written as UTF-8."""
    with pytest.raises(ValueError, match="surrogates"):
        StringTable.from_strings(["ok", "\ud800"])


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3]])
def test_offsets_that_do_not_divide_the_blob_are_refused(offsets):
    """The blob has 3 bytes: offsets start at 0, end at 3 and never fall."""
    tensors: dict[str, NDArray[Any]] = {
        "t.blob": np.frombuffer(b"abc", np.uint8),
        "t.offsets": np.array(offsets, np.int64),
    }
    with pytest.raises(ValueError, match="offsets do not divide"):
        StringTable.from_tensors(tensors, "t")
