"""Filters on categories, held against what each item's list says."""

import itertools

import numpy as np
import pytest

from model_store.catalog import Categories
from service.category_index import CategoryIndex
from service.recommendation import CategoryFilter

LISTS = (("Crime", "Drama"), ("Comedy",), (), ("comedy", "Drama"), ("Crime", "Comedy", "Drama"))


@pytest.fixture
def index() -> CategoryIndex:
    return CategoryIndex(Categories.from_lists(LISTS))


def _by_hand(wanted: CategoryFilter) -> list[bool]:
    lists = [{name.casefold() for name in names} for names in LISTS]
    any_of, all_of, none_of = ({name.casefold() for name in names} for names in vars(wanted).values())
    return [bool(not any_of or any_of & own) and all_of <= own and not none_of & own for own in lists]


def test_every_filter_of_three_names_passes_what_the_lists_say(index):
    """Any, all and none of all subsets, together; upper and lower case are the same."""
    names = ("crime", "COMEDY", "Drama", "no such")
    subsets = [subset for size in range(3) for subset in itertools.combinations(names, size)]
    for any_of, all_of, none_of in itertools.product(subsets, repeat=3):
        wanted = CategoryFilter(any_of, all_of, none_of)
        assert index.allowed(wanted).tolist() == _by_hand(wanted), wanted


def test_names_that_no_item_has_are_told(index):
    """Each once, in the order asked, spelled as asked."""
    wanted = CategoryFilter(("Crime", "Nope"), ("nada", "Nope"), ("COMEDY",))
    assert index.unknown(wanted) == ["Nope", "nada"]


def test_an_answer_that_is_kept_cannot_be_changed(index):
    """The next request with this filter gets the same array."""
    wanted = CategoryFilter(("Crime",))
    assert index.allowed(wanted) is index.allowed(wanted)
    with pytest.raises(ValueError, match="read-only"):
        index.allowed(wanted)[0] = False


def test_a_catalogue_without_categories_passes_everything_but_what_asks_for_one():
    """No names, no items: still arrays of the right length."""
    index = CategoryIndex(Categories.from_lists([(), ()]))
    assert index.allowed(CategoryFilter(none_of=("Crime",))).tolist() == [True, True]
    assert not np.any(index.allowed(CategoryFilter(any_of=("Crime",))))
