"""How long ago: weights by which the latest of a history counts most when it is folded in."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_store.recency import weights_of_ages
from training.data import Dataset, Pairs

Unit = Literal["items", "days"]
Ages = NDArray[np.float64]

SECONDS_A_DAY = 86_400


def ages(dataset: Dataset, train: Pairs, unit: Unit) -> Ages:
    """Age of every training pair, (num_pairs,): items or days between it and its user's latest.

    An item met twice counts from its first time, as in histories. ValueError where the data has no times.
    """
    times = _first_times(dataset, train)
    order = np.lexsort((train.items, times, train.users))
    latest = np.cumsum(np.bincount(train.users, minlength=dataset.num_users))[train.users[order]] - 1
    aged = np.empty(train.num_pairs)
    if unit == "items":
        aged[order] = latest - np.arange(train.num_pairs)
    else:
        aged[order] = (times[order][latest] - times[order]) / SECONDS_A_DAY
    return aged


def recency_weights(dataset: Dataset, train: Pairs, half_life: float, unit: Unit) -> Ages | None:
    """Weight of every training pair, (num_pairs,): the latest 1, half of it for every `half_life` of age.

    None, which is to say all alike, for a half-life of 0 and for data without times.
    """
    if not half_life or dataset.interactions.timestamps is None:
        return None
    return weights_of_ages(ages(dataset, train, unit), half_life)


def _first_times(dataset: Dataset, train: Pairs) -> NDArray[np.int64]:
    log = dataset.interactions
    if log.timestamps is None:
        raise ValueError(f"{dataset.name}: interactions without timestamps have no age")
    log_keys = log.pairs.keys(dataset.num_items)
    by_key = np.lexsort((log.timestamps, log_keys))
    first = by_key[np.searchsorted(log_keys[by_key], train.keys(dataset.num_items))]
    times: NDArray[np.int64] = log.timestamps[first]
    return times
