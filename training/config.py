"""RunConfig: everything a training run is told, one frozen dataclass a stage, read once from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.data import SplitConfig
from training.fetch_language_model import DEFAULT
from training.fetch_sentence_encoder import DEFAULT_ENCODER
from training.supervision import SupervisionConfig
from training.tokenizer_config import StraightThroughConfig, TokenizerConfig, View
from training.toml_fields import ConfigError, build

__all__ = [
    "ConfigError",
    "ControlName",
    "ControlsConfig",
    "DataConfig",
    "EvaluationConfig",
    "ExportConfig",
    "ProjectorConfig",
    "RecencyConfig",
    "RunConfig",
    "SplitConfig",
    "StraightThroughConfig",
    "SupervisionConfig",
    "TokenizerConfig",
    "VectorsConfig",
    "View",
    "ZeroShotConfig",
    "config_from_toml",
    "read_config",
]

ControlName = Literal["identity_free", "random"]


@dataclass(frozen=True)
class DataConfig:
    """Where interactions, items and explanations come from."""

    reader: Literal["movielens", "xrec", "tabular", "canonical"] = "canonical"
    """movielens (downloaded), or the form of a folder: xrec's Parquet, plain CSV / Parquet, canonical Parquet."""
    folder: str = ""
    """The data's folder; `--data` goes before it. movielens needs none."""


@dataclass(frozen=True)
class VectorsConfig:
    """LightGCN (arXiv:2002.02126): interactions to user and item vectors."""

    dim_per_level: int = 64
    """Dimensions for each of the 5 micro codes: vectors are 5 times as wide."""
    num_layers: int = 2
    """Propagation steps; a vector is the mean over all layers, the start included."""
    start: Literal["spectral", "xavier"] = "spectral"
    """First vectors: closed-form graph filter (strong at once), or random."""
    max_epochs: int = 0
    """Most passes over the training edges; the best on valid edges is kept, and the start counts: 0 keeps the start."""
    patience: int = 3
    """Epochs without a better valid NDCG@20 after which training stops."""
    loss: Literal["bpr", "sampled_softmax"] = "sampled_softmax"
    """One negative an edge with the log-sigmoid of the difference, or all negatives of the batch at once."""
    num_negatives: int = 1024
    """Random items that share a batch of sampled_softmax; bpr draws one an edge."""
    batch_size: int = 16384
    """Training edges a step; every step propagates over the whole graph."""
    learning_rate: float = 0.005
    """Of Adam, as a share of the start's root mean square, so that it means the same for every width and start."""
    temperature: float = 1.0
    """Divisor of scores in the loss. A spectral start has users and items of mean length 1."""
    num_valid_users: int = 4000
    """Users on whose valid edges epochs and filters are compared; all where there are fewer."""

    def __post_init__(self) -> None:
        if self.start == "xavier" and not self.max_epochs:
            raise ValueError("start 'xavier' needs max_epochs above 0")


@dataclass(frozen=True)
class ProjectorConfig:
    """Soft tokens for the frozen LLM."""

    language_model: str = DEFAULT
    """The default's name, a local Hugging Face folder, or a hub id."""
    anchored: bool = True
    """Soft tokens start at the words that a node's codes point to most; off: the paper's MLP alone."""
    num_soft: int = 24
    """Soft tokens of each user and each item: room for some ten words (ADR 0013)."""
    width: int = 256
    """Hidden units of the MLP."""
    num_examples: int = 2
    """Examples before the question, a pair's soft tokens and its text each: the soft tokens that all pairs share."""
    num_style: int = 48
    """Of these, in the place of an example's text."""
    max_steps: int = 300
    """Optimiser steps."""
    batch_size: int = 8
    """Explanations a step."""
    learning_rate: float = 1e-3
    """Top rate of the MLP (AdamW, linear warm-up, cosine to zero)."""
    style_learning_rate: float = 0.2
    """Top rate of the style, in units of the LLM's own embeddings."""
    alignment_weight: float = 1.0
    """Weight of the semantic alignment regularisation (arXiv:2512.15614)."""
    title_dropout: float = 0.5
    """Share of prompts with tokens only: beside title and text the LLM would leave the tokens alone."""
    text_dropout: float = 0.4
    """Of the others, the share with the title alone, without text and past items."""
    max_target_tokens: int = 96
    """Longest reference, in the LLM's tokens; the rest is cut."""
    checkpoint_steps: int = 20
    """Steps that an interruption may cost."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the frozen LLM in training; the projector itself is float32."""


@dataclass(frozen=True)
class ControlsConfig:
    """Soft prompts trained alike that know less: without them a margin is no proof."""

    train: tuple[ControlName, ...] = ()
    """identity_free: the same soft prompt for every pair. random: every node has fixed random codes and vectors."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, and on how much."""

    max_rows: int = 300
    """Held-out explanation rows; a random sample where there are more."""
    max_texts: int = 48
    """Of those, rows for which texts are generated under every arm; 0 leaves everything about texts out."""
    sentence_encoder: str = DEFAULT_ENCODER
    """Compares texts: the default's name (downloaded), or a local Hugging Face folder of an encoder."""
    bootstrap_samples: int = 1000
    """Resamples behind every interval."""
    rerank_users: int = 20
    """Users for whom the LLM reorders 20 candidates, some seconds each on a CPU; 0 leaves it out."""
    min_codebook_usage: float = 0.5
    """Share of a level's codes that must be in use; below it the run ends."""


@dataclass(frozen=True)
class RecencyConfig:
    """How much the latest of a history counts when an unseen user is folded in; for data with times."""

    half_life: float = 0.0
    """Age at which an interaction counts half as much as the latest; 0: all alike."""
    unit: Literal["items", "days"] = "items"
    """Of the half-life: items that came later, or days."""


@dataclass(frozen=True)
class ZeroShotConfig:
    """Who is left out of a training that is made only to see what strangers get."""

    user_share: float = 0.1
    """Of users, chosen by split.seed: their tokens come from fold-in; 0 leaves this out."""
    item_share: float = 0.1
    """Of items, likewise: their vectors come from items with like texts; 0 leaves this out."""


@dataclass(frozen=True)
class ExportConfig:
    """The published artifact."""

    hnsw_from: int = 100_000
    """Items from which the index is a graph (HNSW); below it is exact, or as good as that."""
    hnsw_links: int = 32
    """Neighbours of each node of that graph."""


@dataclass(frozen=True)
class RunConfig:
    """A whole run. Its TOML has `name` and `seed` on top and one table a stage."""

    name: str = "run"
    """Name of the published versions: letters, digits, dots, dashes."""
    seed: int = 0
    """Of everything random but the split, which has its own so that seeds can be compared on one split."""
    data: DataConfig = field(default_factory=DataConfig)
    """Reading."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """Holding out."""
    vectors: VectorsConfig = field(default_factory=VectorsConfig)
    """Graph to vectors."""
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    """Explanation targets where the data has none."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """Vectors to codes."""
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    """Codes to soft tokens."""
    controls: ControlsConfig = field(default_factory=ControlsConfig)
    """Controls trained alike."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Figures."""
    recency: RecencyConfig = field(default_factory=RecencyConfig)
    """Order within histories."""
    zero_shot: ZeroShotConfig = field(default_factory=ZeroShotConfig)
    """Figures of unseen users and items."""
    export: ExportConfig = field(default_factory=ExportConfig)
    """Publishing."""

    def to_json(self) -> dict[str, Any]:
        """Plain values by stage, as the manifest keeps them."""
        return asdict(self)


def read_config(path: Path) -> RunConfig:
    """The config in a TOML file. ConfigError names the file and the key at fault."""
    try:
        return config_from_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config") from None
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def config_from_toml(text: str) -> RunConfig:
    """The config that TOML text says; what it does not say has its default. ConfigError."""
    try:
        return build(RunConfig, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
