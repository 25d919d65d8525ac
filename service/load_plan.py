"""Which requests a load is made of, and when each begins: a function of the plan and its seed alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_store.id_map import IdMap
from model_store.types import ItemId, UserId

Kind = Literal["recommend", "explain", "stream"]


@dataclass(frozen=True)
class LoadPlan:
    """An open-loop load: requests begin when the clock says so, however long earlier ones take."""

    rate_per_s: float
    """Requests begun in a second, on average."""
    duration_s: float
    """Seconds in which requests begin."""
    shares: dict[Kind, float]
    """How often each kind is asked for, relative to the others."""
    zipf_exponent: float = 1.0
    """How uneven users and items are: the one of rank r is asked for as often as r ** -exponent."""
    seed: int = 0

    def __post_init__(self) -> None:
        """ValueError for shares that leave nothing to ask."""
        if min(self.shares.values()) < 0 or not sum(self.shares.values()) > 0:
            raise ValueError("the shares of the kinds of request must not be negative, and one must be above 0")


@dataclass(frozen=True)
class Arrival:
    """One request to make."""

    at_s: float
    """Seconds after the start."""
    kind: Kind
    user_id: UserId
    item_id: ItemId


def arrivals(plan: LoadPlan, user_ids: IdMap, item_ids: IdMap) -> Iterator[Arrival]:
    """The plan's requests in the order of their times: a Poisson process over Zipf-distributed users and items."""
    rng = np.random.default_rng(plan.seed)
    users, items = (_Zipf(len(ids), plan.zipf_exponent, rng) for ids in (user_ids, item_ids))
    kinds = list(plan.shares)
    weights = np.array([plan.shares[kind] for kind in kinds])
    at_s = rng.exponential(1 / plan.rate_per_s)
    while at_s < plan.duration_s:
        kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
        yield Arrival(at_s, kind, user_ids.to_id(users.draw()), item_ids.to_id(items.draw()))
        at_s += rng.exponential(1 / plan.rate_per_s)


class _Zipf:
    """Draws rows, a few of them often; which these are is the generator's choice, not that of the row numbers."""

    def __init__(self, num_rows: int, exponent: float, rng: np.random.Generator) -> None:
        chance = np.arange(1, num_rows + 1, dtype=np.float64) ** -exponent
        self._below: NDArray[np.float64] = np.cumsum(chance / chance.sum())  # (num_rows,)
        self._rows: NDArray[np.intp] = rng.permutation(num_rows)
        self._rng = rng

    def draw(self) -> int:
        rank = int(np.searchsorted(self._below, self._rng.random(), side="right"))
        return int(self._rows[min(rank, len(self._rows) - 1)])
