"""Ages and weights of histories whose times are known."""

import numpy as np
import pytest

from model_store.recency import Recency
from tests.training.toy_data import dataset_of
from training.data import Pairs
from training.recency import Unit, ages, recency_weights

DAY = 86_400
UNITS: tuple[Unit, ...] = ("items", "days")
PAIRS = [(1, 10), (0, 12), (0, 11), (0, 10), (0, 12)]
DATASET = dataset_of(PAIRS, timestamps=[7, 4 * DAY, 3 * DAY, 0, 5 * DAY])
TRAIN = Pairs(np.array([0, 1, 0, 0]), np.array([2, 0, 0, 1]))  # rows: items 12, 10, 10, 11


def test_ages_count_from_the_users_latest():
    """User 0 met items 10, 11, 12 on days 0, 3, 4 (the second meeting with 12 does not count); user 1 one item."""
    np.testing.assert_array_equal(ages(DATASET, TRAIN, "items"), [0, 0, 2, 1])
    np.testing.assert_array_equal(ages(DATASET, TRAIN, "days"), [0, 0, 4, 1])


def test_weights_halve_with_every_half_life():
    """With two items (or days) as half-life an age of 2 counts half, of 4 a quarter."""
    by_items, by_days = (np.asarray(recency_weights(DATASET, TRAIN, 2, unit)) for unit in UNITS)
    np.testing.assert_allclose(by_items, [1, 1, 0.5, 0.5**0.5])
    np.testing.assert_allclose(by_days, [1, 1, 0.25, 0.5**0.5])


def test_the_service_weighs_a_told_history_alike():
    """In the order of its times, a user's training pairs have the weights of a history as long as theirs."""
    trained = np.asarray(recency_weights(DATASET, TRAIN, 2, "items"))[TRAIN.users == 0]
    by_time = [1, 2, 0]  # of user 0's pairs with items 12, 10, 11
    assert Recency(2.0).weights(3) == pytest.approx(trained[by_time])


def test_no_times_or_no_half_life_is_all_alike():
    """None says so; ages of data without times are an error."""
    timeless = dataset_of(PAIRS)
    assert recency_weights(DATASET, TRAIN, 0, "items") is None
    assert recency_weights(timeless, TRAIN, 2, "items") is None
    with pytest.raises(ValueError, match="toy: interactions without timestamps"):
        ages(timeless, TRAIN, "days")
