"""The texts that the frozen LLM writes under every arm, and those that need no LLM to stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.data import Rows
from training.explanation_arms import Arm, Case, arms_of, softener, swapped
from training.frozen_language_model import FrozenLanguageModel
from training.prompted import AS_SERVED, TITLED

BATCH = 8
PEER_SUFFIX = "_prediction"
"""Of columns of an explanations file that hold what another model wrote of the pair."""


class Reader(Protocol):
    """Token ids back to text."""

    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True, eq=False)
class Writing:
    """How texts are written: greedily, until one of `end` or `max_tokens`."""

    model: FrozenLanguageModel
    reader: Reader
    end: Sequence[int]
    max_tokens: int


def text_arms(case: Case) -> list[Arm]:
    """The arms of which texts are written: all with tokens alone, and the version's own beside title and text."""
    alone = [arm for arm in arms_of("tokens_only", case.controls) if not arm.name.startswith("random_")]
    return [*alone, Arm("titled", TITLED), Arm("as_served", AS_SERVED)]


def written_texts(
    case: Case, writing: Writing, positions: Rows, on_rows: Callable[[int], None] = lambda rows: None
) -> dict[str, list[str]]:
    """The text of every arm for each of the positions, in their order."""
    return {arm.name: _written(case, arm, writing, positions, on_rows) for arm in text_arms(case)}


def _written(case: Case, arm: Arm, writing: Writing, positions: Rows, on_rows: Callable[[int], None]) -> list[str]:
    prompts = arm.texts(case.prompts, positions)
    by_length = np.argsort([len(text.prompt.token_ids) for text in prompts], kind="stable")
    soft_of, texts = softener(case, arm, positions), [""] * len(prompts)
    for start in range(0, len(prompts), BATCH):
        chosen = by_length[start : start + BATCH]
        batch = [prompts[row] for row in chosen]
        found = writing.model.written(batch, soft_of(chosen), max_tokens=writing.max_tokens, end=writing.end)
        for row, ids in zip(chosen.tolist(), found, strict=True):
            texts[row] = writing.reader.decode(ids).strip()
        on_rows(len(chosen))
    return texts


def floor_texts(case: Case, positions: Rows) -> dict[str, list[str]]:
    """Texts that need no LLM: the reference, another item's reference, and title and text put into one sentence."""
    explanations, item_of = case.prompts.explanations, case.prompts.known.item_of
    others = swapped(positions, explanations.items, case.seed + 1)
    items = [item_of(int(row)) for row in explanations.items[positions]]
    return {
        "reference": [explanations.texts[int(position)] for position in positions],
        "other_reference": [explanations.texts[int(position)] for position in others],
        "template": [f"The user would enjoy {item.title} because {item.about}" for item in items],
    }


def peer_texts(case: Case, positions: Rows) -> dict[str, list[str | None]]:
    """What other models wrote of the same pairs, where the data has it: by column, None where a row has none."""
    extra = case.prompts.explanations.extra
    return {
        name: [column[int(position)] or None for position in positions]
        for name, column in extra.items()
        if name.endswith(PEER_SUFFIX) and any(column[int(position)] for position in positions)
    }
