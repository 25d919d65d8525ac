"""Small parts of a data set."""

import numpy as np

from tests.training.toy_data import dataset_of
from training.data.dataset import Pairs


def test_pairs_have_equal_keys_only_if_equal() -> None:
    """All 12 pairs of 3 users and 4 items have keys of their own."""
    users, items = np.divmod(np.arange(12), 4)

    assert len(set(Pairs(users, items).keys(4).tolist())) == 12


def test_pairs_are_taken_by_position_and_by_mask() -> None:
    """Both ways of choosing keep users and items together."""
    pairs = Pairs(np.array([0, 1, 2]), np.array([5, 6, 7]))

    assert [column.tolist() for column in pairs.take(np.array([2, 0]))] == [[2, 0], [7, 5]]
    assert pairs.take(np.array([False, True, False])).num_pairs == 1


def test_explanations_are_taken_with_their_other_columns() -> None:
    """In the order asked for."""
    explanations = dataset_of([(1, 1), (2, 2)], explained=[(1, 1), (2, 2)]).explanations

    assert explanations is not None
    taken = explanations.take(np.array([1, 0]))
    assert taken.texts == ("why 2 2", "why 1 1")
    assert taken.pairs.users.tolist() == [1, 0]
