"""What most training users had: the answer for somebody of whom nothing is known."""

import numpy as np
from numpy.typing import NDArray

from service.types import Candidates


class PopularItems:
    """The catalogue by the number of training interactions, ordered once; ties keep the order of rows.

    Shapes: popularity (num_items,).
    """

    def __init__(self, popularity: NDArray[np.int64]) -> None:
        self._rows = np.argsort(-popularity, kind="stable")
        self._scores = popularity[self._rows].astype(np.float32)
        self._place = np.empty_like(self._rows)  # of each item in the order
        self._place[self._rows] = np.arange(len(self._rows))

    def best(self, k: int, exclude_rows: NDArray[np.integer], allowed: NDArray[np.bool_] | None = None) -> Candidates:
        """As Retriever.retrieve, with interactions as scores."""
        if allowed is None:
            excluded = self._place[exclude_rows]
            places = np.arange(min(len(self._rows), k + len(excluded)))
            places = np.setdiff1d(places, excluded)[:k]
        else:
            kept = allowed.copy()
            kept[exclude_rows] = False
            places = np.flatnonzero(kept[self._rows])[:k]
        return Candidates(self._rows[places], self._scores[places])
