"""The k-core: the most users and items of which each has at least k of the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Pairs


class Core(NamedTuple):
    """Who is in the core. Shapes: users (num_users,), items (num_items,), bool by row."""

    users: NDArray[np.bool_]
    items: NDArray[np.bool_]

    def has(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Which pairs are between members, (num_pairs,)."""
        inside: NDArray[np.bool_] = self.users[pairs.users] & self.items[pairs.items]
        return inside


def k_core(pairs: Pairs, num_users: int, num_items: int, k: int) -> Core:
    """Users and items that keep at least k distinct partners each when all others are left out, again and again.

    The core of a bipartite graph (doi:10.1016/0378-8733(83)90028-X); repeated pairs count once.
    """
    keys = np.unique(pairs.keys(num_items))
    users, items = keys // num_items, keys % num_items
    while True:
        core = Core(
            np.bincount(users, minlength=num_users) >= k,
            np.bincount(items, minlength=num_items) >= k,
        )
        kept = core.has(Pairs(users, items))
        if kept.all():
            return core
        users, items = users[kept], items[kept]
