"""From the NLL of every arm to what a report says of it: means, swap margins, gains, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.intervals import Values, bootstrap

SWAPS = ("user", "item", "both")
RANDOM_SWAPS = ("user", "item")


def arm_figures(nll: Mapping[str, Values], samples: int, seed: int) -> dict[str, Any]:
    """Figures of one form of prompt. Shapes: nll[arm] (n,), nats per token of the same rows in every arm.

    `nll`: means. `swap_margin`: swapped minus true; above zero the LLM reads the very tokens of this user, or item.
    `random_swap_margin`: the same of the random control, which should be nothing. `gain`: what the arm "true" and the
    profile gain over the identity-free control, and the first as a share of the second; only with that control.
    """
    figures: dict[str, Any] = {
        "nll": {arm: float(values.mean()) for arm, values in nll.items()},
        "swap_margin": {swap: bootstrap(nll[swap] - nll["true"], samples, seed).to_json() for swap in SWAPS},
    }
    if "random_item" in nll:
        figures["random_swap_margin"] = {
            swap: bootstrap(nll[f"random_{swap}"] - nll["random"], samples, seed).to_json() for swap in RANDOM_SWAPS
        }
    if "identity_free" in nll:
        figures["gain"] = _gain(nll, samples, seed)
    return figures


def _gain(nll: Mapping[str, Values], samples: int, seed: int) -> dict[str, Any]:
    control = nll["identity_free"]
    gain: dict[str, Any] = {"tokens": bootstrap(control - nll["true"], samples, seed).to_json()}
    if "random" in nll:
        gain["random"] = bootstrap(control - nll["random"], samples, seed).to_json()
    if "profile" in nll:
        gain["profile"] = bootstrap(control - nll["profile"], samples, seed).to_json()
        gain["share"] = share(control - nll["true"], control - nll["profile"], samples, seed)
    return gain


def share(part: Values, whole: Values, samples: int, seed: int) -> dict[str, float] | None:
    """Mean of `part` (n,) over that of `whole` (n,), with the interval of resampled rows; None unless whole gains."""
    if whole.mean() <= 0:
        return None
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, len(part), len(part)) for _ in range(samples)]
    ratios = [part[rows].mean() / whole[rows].mean() for rows in drawn if whole[rows].mean() > 0]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {"mean": float(part.mean() / whole.mean()), "low": float(low), "high": float(high)}
