"""The controls of a run, trained as its projector is: same explanations, prompts, steps and rates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.config import ControlName, RunConfig
from training.controls import control_inputs, control_source, control_tensors
from training.data import ItemTable, Rows
from training.projector_stages import new_projector, projector_key, side_inputs, start_of, trained
from training.stages import StageCache, StageOutput, stage_key
from training.token_source import TokenSource
from training.train_projector import CodedPairs
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop

CONTROL_FORMAT = 2


@dataclass(frozen=True, eq=False)
class TrainedControls:
    """Soft tokens and losses (one row a step: NLL, alignment) of every control; `key` stands for all of them."""

    sources: dict[ControlName, TokenSource]
    losses: dict[str, list[list[float]]]
    key: str


def control_stages(
    workshop: Workshop,
    tokenizer: TrainedTokenizer,
    items: ItemTable,
    positions: Rows,
    config: RunConfig,
    cache: StageCache,
    inputs: str,
) -> TrainedControls:
    """Every control that the config asks for, each a stage of its own."""
    outputs = {
        name: _control_stage(name, workshop, tokenizer, items, positions, config, cache, inputs)
        for name in config.controls.train
    }
    return TrainedControls(
        {name: control_source(output.tensors) for name, output in outputs.items()},
        {name: output.facts["losses"] for name, output in outputs.items()},
        " ".join(output.facts["key"] for output in outputs.values()),
    )


def _control_stage(
    name: ControlName,
    workshop: Workshop,
    tokenizer: TrainedTokenizer,
    items: ItemTable,
    positions: Rows,
    config: RunConfig,
    cache: StageCache,
    inputs: str,
) -> StageOutput:
    trained_alike = projector_key(workshop, config.projector, config.seed, inputs)
    key = stage_key("control", code_format=CONTROL_FORMAT, config={"control": name}, inputs=[trained_alike])

    def make(checkpoints: Path) -> StageOutput:
        rng = np.random.default_rng(config.seed)
        user, item = (
            control_inputs(name, inputs, codes, rng)
            for inputs, codes in zip(side_inputs(tokenizer), (tokenizer.user_codes, tokenizer.item_codes), strict=True)
        )
        start = start_of(workshop, tokenizer, items, positions, config.projector)
        projector = new_projector(workshop, (user.inputs, item.inputs), start, config.projector, config.seed)
        alike = replace(workshop, pairs=CodedPairs(workshop.pairs.explanations, user.codes, item.codes))
        title = f"Training the control {name}"
        losses = trained(projector, alike, positions, config.projector, config.seed, checkpoints, title)
        source = TokenSource(projector.exported(), user.codes, item.codes)
        return StageOutput(control_tensors(source), {"key": key, "losses": losses})

    return cache.get_or_make("control", key, make)
