"""The stages after the vectors: tokenizer and projector. Each is kept by content."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_store.artifact import Artifact, side_of, side_tensors
from model_store.embeddings import NodeEmbeddings, Vectors
from model_store.prompt import PromptEncoder, PromptTemplate, default_template
from model_store.token_embeddings import TokenEmbeddings
from model_store.vocabulary import Vocabulary
from training.config import ProjectorConfig, TokenizerConfig
from training.data import Explanations, Rows
from training.export import histories_of
from training.fetch_language_model import FetchedLanguageModel
from training.frozen_language_model import FrozenLanguageModel
from training.prepare import Prepared
from training.progress import console, counted
from training.projector import Projector, SideInputs, codewords_of
from training.prompted import Known, Prompts
from training.stages import StageCache, StageOutput, stage_key
from training.train_projector import CodedPairs, Step, train_projector
from training.train_tokenizer import TrainedTokenizer, train_tokenizer
from training.word_anchors import style_start, word_anchors

TOKENIZER_FORMAT = 7
PROJECTOR_FORMAT = 1
NUM_LEVELS = 12
SHOWN_EVERY = 20


def tokenizer_stage(
    data: Prepared, graph: NodeEmbeddings, config: TokenizerConfig, seed: int, cache: StageCache, inputs: str
) -> StageOutput:
    """Quantizers, codes and text vectors; facts: `vocabulary`, `key`."""
    settings = {"tokenizer": asdict(config), "seed": seed}
    key = stage_key("tokenizer", code_format=TOKENIZER_FORMAT, config=settings, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        with counted("Learning codebooks", NUM_LEVELS, "codebooks") as advance:
            trained = train_tokenizer(graph, data.dataset, data.split.train, config, seed, on_level=advance)
        return StageOutput(_tensors(trained), {"key": key, "vocabulary": trained.vocabulary.to_json()})

    return cache.get_or_make("tokenizer", key, make)


def trained_tokenizer_of(output: StageOutput, graph: NodeEmbeddings) -> TrainedTokenizer:
    """What `tokenizer_stage` put out."""
    t = output.tensors
    user, item = (side_of(t, side) for side in ("user", "item"))
    embeddings = replace(graph, item_texts=t["item_texts"])
    vocabulary = Vocabulary.from_json(output.facts["vocabulary"])
    return TrainedTokenizer(embeddings, user, item, t["user_codes"], t["item_codes"], vocabulary)


@dataclass(frozen=True, eq=False)
class Workshop:
    """What prompts and their soft tokens are made of. One for training and evaluation alike."""

    language_model: FetchedLanguageModel
    template: PromptTemplate
    prompts: Prompts
    pairs: CodedPairs

    @classmethod
    def of(
        cls, data: Prepared, tokenizer: TrainedTokenizer, fetched: FetchedLanguageModel, config: ProjectorConfig
    ) -> Workshop:
        """For training on the explanations of a data set (which it must have)."""
        assert data.dataset.explanations is not None
        template = default_template(fetched.spec.chat, style_length=config.num_style)
        pairs = CodedPairs(data.dataset.explanations, tokenizer.user_codes, tokenizer.item_codes)
        known = Known(
            data.dataset.items.__getitem__, histories_of(data.dataset, data.split.train), tokenizer.embeddings
        )
        return cls.over(known, pairs, fetched, template, config)

    @classmethod
    def of_artifact(cls, artifact: Artifact, explanations: Explanations, config: ProjectorConfig) -> Workshop:
        """For judging a published version on explanations in its rows."""
        fetched = FetchedLanguageModel(artifact.language_model_path, artifact.manifest.language_model)
        template = PromptTemplate.from_json(artifact.manifest.prompt_template)
        pairs = CodedPairs(explanations, artifact.user_codes, artifact.item_codes)
        known = Known(artifact.catalog.item, artifact.histories, artifact.embeddings)
        return cls.over(known, pairs, fetched, template, config)

    @classmethod
    def over(
        cls,
        known: Known,
        pairs: CodedPairs,
        fetched: FetchedLanguageModel,
        template: PromptTemplate,
        config: ProjectorConfig,
    ) -> Workshop:
        """Prompts about these pairs, from what is known of their users and items."""
        encoder, eos = PromptEncoder.open(fetched.folder), fetched.spec.eos_token_ids[0]
        prompts = Prompts(known, pairs.explanations, template, encoder, eos, config.max_target_tokens)
        return cls(fetched, template, prompts, pairs)

    def open_model(self, dtype: str) -> FrozenLanguageModel:
        """The frozen LLM, its weights loaded."""
        spec = self.language_model.spec
        torch_dtype: torch.dtype = getattr(torch, dtype)
        return FrozenLanguageModel.open(
            self.language_model.folder, dtype=torch_dtype, embedding_scale=spec.embedding_scale
        )


def projector_stage(
    workshop: Workshop,
    tokenizer: TrainedTokenizer,
    positions: Rows,
    config: ProjectorConfig,
    seed: int,
    cache: StageCache,
    inputs: str,
) -> StageOutput:
    """The soft token table; facts: `losses` (one row a step: NLL, alignment) and `key`."""
    key = projector_key(workshop, config, seed, inputs)

    def make(checkpoints: Path) -> StageOutput:
        projector = new_projector(workshop, projector_start(workshop, tokenizer, positions, config), config, seed)
        losses = trained(projector, workshop, positions, config, seed, checkpoints, "Training the projector")
        return StageOutput(tensors_of(projector), {"key": key, "losses": losses})

    return cache.get_or_make("projector", key, make)


def projector_key(workshop: Workshop, config: ProjectorConfig, seed: int, inputs: str) -> str:
    """Key of what training a projector makes."""
    settings = {"projector": asdict(config), "template": workshop.template.to_json(), "seed": seed}
    sha256 = workshop.language_model.spec.sha256
    return stage_key("projector", code_format=PROJECTOR_FORMAT, config=settings, inputs=[inputs, sha256])


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


def tensors_of(projector: Projector) -> dict[str, Any]:
    """The projector's soft token table as tensors."""
    return {name: np.asarray(tensor) for name, tensor in projector.table().to_tensors().items()}


@dataclass(frozen=True, eq=False)
class ProjectorStart:
    """What a projector begins with. Shapes: style (S, hidden)."""

    user: SideInputs
    item: SideInputs
    style: Vectors


def projector_start(
    workshop: Workshop, tokenizer: TrainedTokenizer, positions: Rows, config: ProjectorConfig
) -> ProjectorStart:
    """Codes at the anchors of their words, style at a typical training explanation."""
    spec, encoder = workshop.language_model.spec, workshop.prompts.encoder
    embeddings = TokenEmbeddings.open(workshop.language_model.folder, scale=spec.embedding_scale)
    length = spec.embedding_rms * float(np.sqrt(spec.hidden_size))
    user, item = (
        SideInputs(
            codewords_of(side), word_anchors(levels, encoder, embeddings, num_words=config.anchor_words, length=length)
        )
        for side, levels in (
            (tokenizer.user, tokenizer.vocabulary.user),
            (tokenizer.item, tokenizer.vocabulary.item),
        )
    )
    every = workshop.prompts.explanations.texts
    style = style_start([every[int(position)] for position in positions], config.num_style, encoder, embeddings)
    return ProjectorStart(user, item, style)


def new_projector(workshop: Workshop, start: ProjectorStart, config: ProjectorConfig, seed: int) -> Projector:
    """An untrained projector, seeded."""
    torch.manual_seed(seed)
    size = workshop.language_model.spec.embedding_rms
    return Projector(start.user, start.item, start.style, width=config.width, size=size, anchored=config.anchored)


def _tensors(trained: TrainedTokenizer) -> dict[str, Any]:
    return {
        **side_tensors(trained.user, "user"),
        **side_tensors(trained.item, "item"),
        "user_codes": trained.user_codes,
        "item_codes": trained.item_codes,
        "item_texts": trained.embeddings.item_texts,
    }
