from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_store.catalog import Catalog, Categories, Histories, RowLists
from model_store.id_map import IdMap
from model_store.types import Item

lists = st.lists(st.lists(st.text(max_size=3), max_size=4))
items = st.lists(st.builds(Item, st.just(0), st.text(), st.text(), st.lists(st.text(), max_size=3).map(tuple)))


@given(items)
def test_items_come_back_as_they_were(items):
    """Titles, texts and categories of any Unicode, straight and through tensors, each with its own id."""
    items = [Item(100 + row, item.title, item.text, item.categories) for row, item in enumerate(items)]
    ids = IdMap.from_ids([item.item_id for item in items])
    catalog = Catalog.from_items(ids, items, np.zeros(len(items)))
    for found in (catalog, Catalog.from_tensors(catalog.to_tensors(), ids)):
        assert [found.item(row) for row in range(len(found))] == items


@given(lists)
def test_each_category_is_kept_once(lists):
    """Items point into one list of names, which is what a filter asks."""
    categories = Categories.from_lists(lists)
    assert [categories.of(row) for row in range(len(lists))] == [tuple(names) for names in lists]
    assert sorted(categories.names) == sorted({name for names in lists for name in names})


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99))))
def test_histories_group_pairs_by_user_and_keep_their_order(pairs):
    """A user's history is that user's pairs in the order given, which is the order of time."""
    users, items = np.array(pairs, np.int64).reshape(-1, 2).T
    histories = Histories.from_pairs(users, items, 7)
    for found in (histories, Histories.from_tensors(histories.to_tensors("h"), "h")):
        assert isinstance(found, Histories)
        assert [found.of(row).tolist() for row in range(len(found))] == [
            [item for user, item in pairs if user == row] for row in range(7)
        ]


def test_a_history_is_a_view():
    """Asking for one copies nothing."""
    histories = Histories.from_pairs([0, 0, 1], [5, 6, 7], 2)
    assert np.shares_memory(histories.of(0), histories.indices)


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_is_not_there_is_an_index_error(row):
    """No negative rows, no wrapping around."""
    with pytest.raises(IndexError):
        Histories.from_pairs([0, 1], [5, 6], 2).of(row)
    with pytest.raises(IndexError):
        Catalog.from_items(IdMap.from_ids([1, 2]), [Item(1, "a"), Item(2, "b")], [0, 0]).item(row)


@pytest.mark.parametrize("indptr", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3]])
def test_an_indptr_that_does_not_divide_the_entries_is_refused(indptr):
    """There are 3 entries: indptr starts at 0, ends at 3 and never falls."""
    tensors: dict[str, NDArray[Any]] = {
        "h.indptr": np.array(indptr, np.int64),
        "h.indices": np.arange(3, dtype=np.int32),
    }
    with pytest.raises(ValueError, match="does not divide"):
        RowLists.from_tensors(tensors, "h")


def test_a_user_beyond_the_last_row_is_refused():
    """Pairs of a user that has no row would give lists for more rows than there are."""
    with pytest.raises(ValueError, match="row 2 of 2"):
        Histories.from_pairs([0, 2], [5, 6], 2)
