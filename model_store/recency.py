"""How much of a history counts when it is folded in: the latest most, an older interaction the less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Weights = NDArray[np.float64]


def weights_of_ages(ages: ArrayLike, half_life: float) -> Weights:
    """Weight of each age: 1 at age 0, half of it for every `half_life`. Ages and half-life in one unit, above 0."""
    weights: Weights = 0.5 ** (np.asarray(ages, np.float64) / half_life)
    return weights


@dataclass(frozen=True)
class Recency:
    """What a version's training found best for unseen users, for histories whose order is known and no times."""

    half_life_items: float = 0.0
    """Newer items after which an item counts half; 0: all count alike."""

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> Recency:
        """What the training configuration in a manifest says; all alike where it says nothing, or counts in days."""
        told = config.get("recency")
        if not isinstance(told, Mapping) or told.get("unit", "items") != "items":
            return cls()
        return cls(float(told.get("half_life", 0.0)))

    def weights(self, length: int) -> Weights | None:
        """Weights of a history of so many items, oldest first, (length,); None: all alike."""
        return weights_of_ages(np.arange(length)[::-1], self.half_life_items) if self.half_life_items > 0 else None
