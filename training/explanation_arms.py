"""Do the tokens tell the frozen LLM anything? NLL of held-out references under true and under swapped tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.soft_tokens import SoftTokenTable
from model_store.types import NUM_CODES
from training.data import DataError, Rows
from training.frozen_language_model import FrozenLanguageModel, PromptedText
from training.prompted import Prompts
from training.train_projector import CodedPairs

Nll = NDArray[np.float64]

BATCH = 16
SWAPS = ("user", "item", "both")


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval over rows."""

    mean: float
    low: float
    high: float


def bootstrap(values: Nll, samples: int, seed: int) -> Interval:
    """Mean of values (n,) with the percentile interval of `samples` resampled means."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(samples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def swapped(rows: Rows, ids: Rows, seed: int) -> Rows:
    """For every row another one of the same rows, with another id: whose tokens it gets in a swapped arm.

    Shapes: rows (n,) positions, ids (all positions,) -> (n,). DataError where all ids are the same.
    """
    if len(np.unique(ids[rows])) < 2:
        raise DataError("nothing to swap with: the explanations to judge need two users and two items at least")
    rng = np.random.default_rng(seed)
    partners = rng.permutation(rows)
    while (same := np.flatnonzero(ids[partners] == ids[rows])).size:
        partners[same] = rng.choice(rows, same.size)
    return partners


def explanation_arms(
    table: SoftTokenTable,
    model: FrozenLanguageModel,
    prompts: Prompts,
    pairs: CodedPairs,
    positions: Rows,
    *,
    bootstrap_samples: int,
    seed: int,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> dict[str, Any]:
    """NLL per token of the references at `positions`, and swap margins (swapped minus true) with intervals.

    Two prompts: "tokens_only", and "as_served" (title, text and past items beside the tokens; those are never
    swapped). A margin above zero says that the LLM reads the very tokens of this user, or of this item.
    """
    explanations = pairs.explanations
    users = swapped(positions, explanations.users, seed)
    items = swapped(positions, explanations.items, seed + 1)
    tokens_of = {
        "true": (positions, positions),
        "user": (users, positions),
        "item": (positions, items),
        "both": (users, items),
    }
    report: dict[str, Any] = {"rows": len(positions)}
    for prompt, tokens_only in (("tokens_only", True), ("as_served", False)):
        texts = [prompts.of(int(position), tokens_only=tokens_only) for position in positions]
        nll = {arm: _nll(table, model, texts, pairs, *token_rows, on_rows) for arm, token_rows in tokens_of.items()}
        margins = {swap: asdict(bootstrap(nll[swap] - nll["true"], bootstrap_samples, seed)) for swap in SWAPS}
        report[prompt] = {"nll": {arm: float(values.mean()) for arm, values in nll.items()}, "swap_margin": margins}
    return report


@torch.no_grad()
def _nll(
    table: SoftTokenTable,
    model: FrozenLanguageModel,
    texts: list[PromptedText],
    pairs: CodedPairs,
    user_rows: Rows,
    item_rows: Rows,
    on_rows: Callable[[int], None],
) -> Nll:
    """NLL per token of every text, (n,), with the user tokens of one position and the item tokens of another."""
    by_length = np.argsort([len(text) for text in texts], kind="stable")
    nll = np.empty(len(texts))
    for start in range(0, len(texts), BATCH):
        chosen = by_length[start : start + BATCH]
        user_codes, item_codes = pairs.at(user_rows[chosen])[0], pairs.at(item_rows[chosen])[1]
        soft = looked_up(table, user_codes, item_codes)
        nll[chosen] = model.nll([texts[row] for row in chosen], soft).double().cpu().numpy()
        on_rows(len(chosen))
    return nll


def looked_up(table: SoftTokenTable, user_codes: Tensor, item_codes: Tensor) -> dict[str, Tensor]:
    """Soft tokens by slot as the service has them. Shapes: codes (batch, 6) -> (batch, S or 6, hidden)."""
    style, user, item = (torch.from_numpy(np.array(tensor)) for tensor in (table.style, table.user, table.item))
    levels = torch.arange(NUM_CODES)
    batch_style = style.expand(len(user_codes), -1, -1)
    return {"style": batch_style, "user": user[levels, user_codes], "item": item[levels, item_codes]}
