"""Weights of a history by what the manifest says."""

import numpy as np
import pytest

from model_store.recency import Recency, weights_of_ages


def test_a_half_life_halves():
    """Whatever the unit."""
    np.testing.assert_allclose(weights_of_ages([0, 2, 4, 1], 2.0), [1, 0.5, 0.25, 0.5**0.5])


def test_the_newest_of_a_history_counts_most():
    """It stands last, at 1."""
    assert Recency(2.0).weights(4) == pytest.approx([0.5**1.5, 0.5, 0.5**0.5, 1])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"recency": {}},
        {"recency": {"half_life": 0.0, "unit": "items"}},
        {"recency": {"half_life": 5.0, "unit": "days"}},
    ],
)
def test_where_nothing_is_said_all_count_alike(config):
    """Older artifacts say nothing; a told history has no times that days could be counted by."""
    assert Recency.of_config(config).weights(3) is None


def test_what_the_configuration_says_holds():
    """As beat-train writes it."""
    assert Recency.of_config({"recency": {"half_life": 5, "unit": "items"}}) == Recency(5.0)
