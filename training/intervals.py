"""Means with the interval that their sample allows."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval over rows."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """`mean`, `low` and `high`."""
        return asdict(self)


def bootstrap(values: Values, samples: int, seed: int) -> Interval:
    """Mean of values (n,) with the percentile interval of `samples` resampled means."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(samples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))
