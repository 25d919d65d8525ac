"""From likelihoods to figures, on rows whose gains are known."""

import numpy as np
import pytest

from training.arm_figures import arm_figures, share


def arms(true: float, control: float, profile: float) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0).normal(0, 0.1, 200)  # of the rows, the same in every arm
    values = {"true": true, "user": true, "item": true + 0.2, "both": true + 0.2, "identity_free": control}
    values |= {"profile": profile, "random": control, "random_user": control, "random_item": control}
    return {arm: value + noise for arm, value in values.items()}


def test_margins_and_gains_are_differences_of_means():
    """Noise that all arms share widens no interval; half of the profile's gain is half."""
    figures = arm_figures(arms(true=2.9, control=3.0, profile=2.8), samples=50, seed=0)
    assert figures["swap_margin"]["item"] == pytest.approx({"mean": 0.2, "low": 0.2, "high": 0.2})
    assert figures["swap_margin"]["user"] == pytest.approx({"mean": 0, "low": 0, "high": 0})
    assert figures["random_swap_margin"]["item"]["mean"] == pytest.approx(0)
    assert figures["gain"]["tokens"]["mean"] == pytest.approx(0.1)
    assert figures["gain"]["share"] == pytest.approx({"mean": 0.5, "low": 0.5, "high": 0.5})


def test_without_a_control_there_is_no_gain():
    values = arms(2.9, 3.0, 2.8)
    left = {arm: each for arm, each in values.items() if arm in ("true", "user", "item", "both", "none")}
    assert set(arm_figures(left, samples=10, seed=0)) == {"nll", "swap_margin"}


def test_a_share_of_nothing_is_no_share():
    """Where the profile itself does not help, there is no whole to take a share of."""
    assert share(np.ones(5), np.zeros(5), 10, 0) is None
    assert share(np.ones(5), -np.ones(5), 10, 0) is None


def test_the_interval_of_a_share_covers_it():
    rng = np.random.default_rng(1)
    part, whole = rng.normal(0.4, 0.5, 500), rng.normal(1.0, 0.5, 500)
    found = share(part, whole, 500, 0)
    assert found is not None
    assert found["low"] < found["mean"] < found["high"]
    assert found["mean"] == pytest.approx(0.4, abs=0.1)
