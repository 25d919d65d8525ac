"""The stages that teach the frozen LLM to read codes: the projector, and the controls trained as it is. By content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.config import ControlName
from training.controls import control_side, control_source, control_tensors
from training.lesson import Lesson
from training.stages import StageCache, StageOutput, stage_key
from training.token_source import TokenSource
from training.train_projector import CodedPairs

CONTROL_FORMAT = 3


@dataclass(frozen=True, eq=False)
class TrainedControls:
    """Soft tokens and losses (one row a step: NLL, alignment) of every control; `key` stands for all of them."""

    sources: dict[ControlName, TokenSource]
    losses: dict[str, list[list[float]]]
    key: str


def projector_stage(lesson: Lesson, cache: StageCache) -> StageOutput:
    """The soft tokens as tensors; facts: `losses` (one row a step: NLL, alignment) and `key`."""

    def make(checkpoints: Path) -> StageOutput:
        projector = lesson.untrained(lesson.start)
        losses = lesson.teach(projector, lesson.workshop.pairs, checkpoints, "projector")
        return StageOutput(projector.exported().to_tensors(), {"key": lesson.key, "losses": losses})

    return cache.get_or_make("projector", lesson.key, make)


def control_stages(lesson: Lesson, names: Iterable[ControlName], cache: StageCache) -> TrainedControls:
    """Each of these controls, a stage of its own: same explanations, prompts, steps and rates as the projector's."""
    outputs = {name: _control_stage(lesson, name, cache) for name in names}
    return TrainedControls(
        {name: control_source(output.tensors) for name, output in outputs.items()},
        {name: output.facts["losses"] for name, output in outputs.items()},
        " ".join(output.facts["key"] for output in outputs.values()),
    )


def _control_stage(lesson: Lesson, name: ControlName, cache: StageCache) -> StageOutput:
    key = stage_key("control", code_format=CONTROL_FORMAT, config={"control": name}, inputs=[lesson.key])

    def make(checkpoints: Path) -> StageOutput:
        rng, start, pairs = np.random.default_rng(lesson.seed), lesson.start, lesson.workshop.pairs
        user = control_side(name, start.user, pairs.user_codes, rng)
        item = control_side(name, start.item, pairs.item_codes, rng)
        projector = lesson.untrained(replace(start, user=user.start, item=item.start))
        alike = CodedPairs(pairs.explanations, user.codes, item.codes)
        losses = lesson.teach(projector, alike, checkpoints, name)
        source = TokenSource(projector.exported(), user.codes, item.codes)
        return StageOutput(control_tensors(source), {"key": key, "losses": losses})

    return cache.get_or_make("control", key, make)
