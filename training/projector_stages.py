"""The stage that teaches the frozen LLM to read codes. Kept by content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from model_store.embeddings import Vectors
from model_store.soft_tokens import AnchorWords
from training.anchor_words import anchor_words
from training.config import ProjectorConfig
from training.data import ItemTable, Rows
from training.item_texts import ItemWords
from training.progress import console, counted
from training.projector import Projector, Sides, inputs_of
from training.stages import StageCache, StageOutput, stage_key
from training.style import style_start
from training.train_projector import Step, train_projector
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop

PROJECTOR_FORMAT = 2
SHOWN_EVERY = 20


@dataclass(frozen=True, eq=False)
class Start:
    """What a projector and its controls begin with. Shapes: style (num_style, hidden)."""

    style: Vectors
    words: AnchorWords


def start_of(
    workshop: Workshop, tokenizer: TrainedTokenizer, items: ItemTable, positions: Rows, config: ProjectorConfig
) -> Start:
    """The style at a typical explanation of those at `positions`, and the words of the catalogue."""
    every = workshop.prompts.explanations.texts
    texts = [every[int(position)] for position in positions]
    style = style_start(texts, config.num_style, workshop.prompts.encoder, workshop.embeddings())
    return Start(style, words_of(workshop, tokenizer, items, config))


def words_of(workshop: Workshop, tokenizer: TrainedTokenizer, items: ItemTable, config: ProjectorConfig) -> AnchorWords:
    """The catalogue's words as anchors; none with `anchored` off, or where items have no texts."""
    spec = workshop.language_model.spec
    said = ItemWords.of_items(items) if config.anchored else ItemWords.of_documents([""] * len(items))
    texts = tokenizer.item.decode(tokenizer.item_codes)[:, tokenizer.embeddings.dim_graph :]
    length = spec.embedding_rms * float(np.sqrt(spec.hidden_size))
    return anchor_words(
        said, texts, workshop.prompts.encoder, workshop.embeddings(), length=length, least=config.num_soft
    )


def projector_stage(
    workshop: Workshop,
    tokenizer: TrainedTokenizer,
    items: ItemTable,
    positions: Rows,
    config: ProjectorConfig,
    seed: int,
    cache: StageCache,
    inputs: str,
) -> StageOutput:
    """The soft tokens as tensors; facts: `losses` (one row a step: NLL, alignment) and `key`."""
    key = projector_key(workshop, config, seed, inputs)

    def make(checkpoints: Path) -> StageOutput:
        start = start_of(workshop, tokenizer, items, positions, config)
        projector = new_projector(workshop, side_inputs(tokenizer), start, config, seed)
        losses = trained(projector, workshop, positions, config, seed, checkpoints, "Training the projector")
        return StageOutput(projector.exported().to_tensors(), {"key": key, "losses": losses})

    return cache.get_or_make("projector", key, make)


def projector_key(workshop: Workshop, config: ProjectorConfig, seed: int, inputs: str) -> str:
    """Key of what training a projector makes."""
    settings = {"projector": asdict(config), "template": workshop.template.to_json(), "seed": seed}
    sha256 = workshop.language_model.spec.sha256
    return stage_key("projector", code_format=PROJECTOR_FORMAT, config=settings, inputs=[inputs, sha256])


def side_inputs(tokenizer: TrainedTokenizer) -> Sides:
    """Users' and items' codewords."""
    dim_text = tokenizer.embeddings.dim_text
    return inputs_of(tokenizer.user, dim_text), inputs_of(tokenizer.item, dim_text)


def new_projector(workshop: Workshop, sides: Sides, start: Start, config: ProjectorConfig, seed: int) -> Projector:
    """An untrained projector, seeded."""
    torch.manual_seed(seed)
    size = workshop.language_model.spec.embedding_rms
    return Projector(sides, start.words, start.style, num_soft=config.num_soft, width=config.width, size=size)


def trained(
    projector: Projector,
    workshop: Workshop,
    positions: Rows,
    config: ProjectorConfig,
    seed: int,
    checkpoints: Path,
    title: str,
) -> list[list[float]]:
    """Losses of every step (NLL, alignment); the projector is trained in place, and shown while it lasts."""
    model = workshop.open_model(config.dtype)
    with counted(title, config.max_steps, "steps") as advance:

        def show(step: Step) -> None:
            advance(1)
            if step.number % SHOWN_EVERY == 0 or step.number == 1:
                console.print(f"     step {step.number}: NLL {step.nll:.3f}, alignment {step.alignment:.3f}")

        steps = train_projector(
            projector, model, workshop.prompts, workshop.pairs, positions, config, seed,
            checkpoints=checkpoints, on_step=show,
        )  # fmt: skip
    return [[step.nll, step.alignment] for step in steps]
