"""Bootstrap intervals against the normal approximation."""

import numpy as np
import pytest

from training.intervals import bootstrap


def test_the_bootstrap_interval_covers_the_mean():
    """Its middle is the mean, its width that of the normal approximation; constant values have no width."""
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    interval = bootstrap(values, samples=2000, seed=0)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low < interval.mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    constant = bootstrap(np.full(5, 3.0), samples=10, seed=0)
    assert (constant.mean, constant.low, constant.high) == (3, 3, 3)
