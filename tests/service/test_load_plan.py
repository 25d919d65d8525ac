"""A load is what its plan says: that many requests, so many of each kind, some users far more often than others."""

import itertools
from collections import Counter

import pytest

from model_store import IdMap
from service.load_plan import LoadPlan, arrivals

USERS = IdMap.from_ids([f"user-{row}" for row in range(50)], kind="user")
ITEMS = IdMap.from_ids(range(20), kind="item")


def test_arrivals_are_a_poisson_process():
    """Gaps have the mean and the spread of an exponential; their times lie within the duration, in order."""
    times = [arrival.at_s for arrival in arrivals(LoadPlan(50, 200, {"recommend": 1}), USERS, ITEMS)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert len(times) == pytest.approx(10_000, rel=0.03)  # three standard deviations
    assert mean == pytest.approx(1 / 50, rel=0.03)
    assert deviation == pytest.approx(mean, rel=0.05)
    assert min(gaps) >= 0
    assert max(times) < 200


def test_kinds_have_their_shares():
    """Shares are relative: 3 to 1 is three quarters."""
    plan = LoadPlan(100, 100, {"recommend": 3, "stream": 1, "explain": 0})
    kinds = Counter(arrival.kind for arrival in arrivals(plan, USERS, ITEMS))
    assert kinds["recommend"] / kinds.total() == pytest.approx(0.75, abs=0.02)
    assert kinds["explain"] == 0


def test_the_second_busiest_user_is_asked_for_half_as_often():
    """Zipf with exponent 1: frequency is inverse to rank. With 0 all are asked alike."""
    counts = Counter(a.user_id for a in arrivals(LoadPlan(200, 200, {"recommend": 1}), USERS, ITEMS)).most_common()
    assert counts[1][1] / counts[0][1] == pytest.approx(1 / 2, abs=0.05)
    assert counts[3][1] / counts[0][1] == pytest.approx(1 / 4, abs=0.05)
    even = Counter(a.user_id for a in arrivals(LoadPlan(200, 200, {"recommend": 1}, 0.0), USERS, ITEMS))
    assert min(even.values()) > 0.75 * max(even.values())


def test_a_seed_says_everything():
    """The same seed asks the same, another one something else."""
    plans = [LoadPlan(20, 20, {"recommend": 1, "explain": 1}, seed=seed) for seed in (7, 7, 8)]
    one, same, other = (list(arrivals(plan, USERS, ITEMS)) for plan in plans)
    assert one == same != other


@pytest.mark.parametrize("shares", [{"recommend": 0}, {"recommend": 1, "explain": -1}])
def test_a_plan_that_asks_nothing_is_refused(shares):
    """At once, not after it ran."""
    with pytest.raises(ValueError, match="shares"):
        LoadPlan(1, 1, shares)
