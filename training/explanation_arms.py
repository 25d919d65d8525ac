"""What the tokens tell the frozen LLM: NLL of held-out references under true tokens and under every control.

An arm is a prompt and the tokens in its slots. Swapped arms keep the prompt and take the tokens of another row; control
arms take theirs from a soft prompt trained alike; profile arms tell the item's whole text, the ceiling of what can be
known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from model_store.prompt import FieldSegment, PromptTemplate, Segment, SlotSegment
from training.config import ControlName, EvaluationConfig
from training.data import DataError, Rows
from training.frozen_language_model import FrozenLanguageModel, PromptedText
from training.intervals import Values
from training.prompted import AS_SERVED, TITLED, TOKENS_ONLY, Prompts, Shown
from training.token_source import TokenSource

BATCH = 8
WHOLE_TEXT_CHARS = 2000
"""Of an item's text in the profile arms: prompts as served cut it far shorter."""

Swap = Literal["none", "user", "item", "both"]
Tokens = Literal["own", "nothing", ControlName]


@dataclass(frozen=True, eq=False)
class Case:
    """What is judged: the explanations at `positions`, under the version's own tokens and those of its controls."""

    prompts: Prompts
    own: TokenSource
    controls: Mapping[ControlName, TokenSource]
    positions: Rows
    config: EvaluationConfig
    seed: int

    def source(self, tokens: Tokens) -> TokenSource:
        """Where an arm's tokens come from; without a trained control that tells no pair from another, own means."""
        if tokens in self.controls:
            return self.controls[tokens]  # type: ignore[index]
        return self.own.averaged() if tokens == "identity_free" else self.own

    def partners(self, swap: Swap, positions: Rows) -> tuple[Rows, Rows]:
        """Positions whose user tokens and whose item tokens each row gets, (n,) each. DataError as of `swapped`."""
        explanations = self.prompts.explanations
        users = swapped(positions, explanations.users, self.seed) if swap in ("user", "both") else positions
        items = swapped(positions, explanations.items, self.seed + 1) if swap in ("item", "both") else positions
        return users, items


@dataclass(frozen=True)
class Arm:
    """A prompt and whose tokens stand in it."""

    name: str
    shown: Shown
    tokens: Tokens = "own"
    swap: Swap = "none"

    def texts(self, prompts: Prompts, positions: Rows) -> list[PromptedText]:
        """The explanations at these positions after this arm's prompt."""
        template = prompts.template
        if self.tokens == "nothing":
            template = without_slots(template)
        if self.name.startswith("profile"):
            template = with_whole_text(template)
        return [replace(prompts, template=template).showing(int(position), self.shown) for position in positions]


FORMS: Mapping[str, Shown] = {"tokens_only": TOKENS_ONLY, "titled": TITLED, "as_served": AS_SERVED}
"""Prompts by name: tokens alone; tokens and title; as the service asks, with title, text and past items."""


def arms_of(form: str, controls: Mapping[ControlName, TokenSource]) -> list[Arm]:
    """The arms measured with a prompt of FORMS. A form that shows the text has no profile arms: it is one."""
    shown = FORMS[form]
    arms = [Arm("true", shown)]
    arms += [Arm(swap, shown, swap=swap) for swap in ("user", "item", "both")]
    arms += [Arm(control, shown, control) for control in controls]
    if "random" in controls and not shown.text:
        arms += [Arm(f"random_{swap}", shown, "random", swap) for swap in ("user", "item")]
    arms += [Arm("none", shown, "nothing")]
    if not shown.text:
        told = replace(shown, text=True)
        arms += [Arm("profile", told, "identity_free"), Arm("profile_tokens", told)]
    return arms


def nll_of_arms(
    case: Case, model: FrozenLanguageModel, on_rows: Callable[[int], None] = lambda rows: None
) -> dict[str, dict[str, Values]]:
    """NLL per token of every judged reference by form and arm, (n,) each. DataError where nothing can be swapped."""
    return {
        form: {arm.name: nll_of_arm(case, arm, model, on_rows) for arm in arms_of(form, case.controls)}
        for form in FORMS
    }


@torch.no_grad()
def nll_of_arm(case: Case, arm: Arm, model: FrozenLanguageModel, on_rows: Callable[[int], None]) -> Values:
    """NLL per token of every judged reference under one arm, (n,)."""
    texts = arm.texts(case.prompts, case.positions)
    by_length = np.argsort([len(text) for text in texts], kind="stable")
    soft_of = softener(case, arm, case.positions)
    nll = np.empty(len(texts))
    begun = model.begin(texts, soft_of(by_length[:1]))
    for start in range(0, len(texts), BATCH):
        chosen = by_length[start : start + BATCH]
        found = model.nll([texts[row] for row in chosen], soft_of(chosen), begun)
        nll[chosen] = found.double().cpu().numpy()
        on_rows(len(chosen))
    return nll


def softener(case: Case, arm: Arm, positions: Rows) -> Callable[[Rows], dict[str, Tensor]]:
    """The arm's soft tokens of a batch of these positions, given as indices into them.

    Shapes: indices (batch,) -> by slot (batch, S or 6, hidden).
    """
    source, explanations = case.source(arm.tokens), case.prompts.explanations
    user_positions, item_positions = case.partners(arm.swap, positions)
    users, items = explanations.users[user_positions], explanations.items[item_positions]
    return lambda rows: source.soft(users[rows], items[rows])


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


def without_slots(template: PromptTemplate) -> PromptTemplate:
    """The same prompt with nothing in its slots."""
    return PromptTemplate(tuple(part for part in template.segments if not isinstance(part, SlotSegment)))


def with_whole_text(template: PromptTemplate) -> PromptTemplate:
    """The same prompt, the item's text not cut short."""
    return PromptTemplate(tuple(_whole(part) for part in template.segments))


def _whole(part: Segment) -> Segment:
    if isinstance(part, FieldSegment) and part.field == "text":
        return replace(part, max_chars=WHOLE_TEXT_CHARS)
    return part
