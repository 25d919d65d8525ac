"""What a run is told of its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model_store.types import NUM_CODES

View = Literal["graph", "text", "both"]


@dataclass(frozen=True)
class StraightThroughConfig:
    """The paper's tokenizer (arXiv:2512.15614), for comparison; read where method is straight_through."""

    start: Literal["kmeans", "uniform"] = "kmeans"
    """Of the codebooks: k-means of the mapped vectors, or within 1 / codebook_size of zero, as published."""
    dim: int = 64
    """Width of the codewords."""
    epochs: int = 3
    """Passes over the training edges."""
    batch_size: int = 8192
    """Edges a step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    commitment: float = 0.5
    """Weight of drawing vectors to their codewords, beside 1 for drawing codewords to their vectors."""
    disentanglement: float = 1.0
    """Weight of the mean squared cosine between a node's five micro vectors."""
    macro_supervision: float = 0.2
    """Weight of InfoNCE between a pair's macro codewords and its explanation; 0 leaves it out."""
    micro_supervision: float = 1.0
    """Weight of rebuilding a node's hidden intent phrases from its micro codewords; 0 leaves it out."""


@dataclass(frozen=True)
class TokenizerConfig:
    """Quantizers: vectors to 1 macro and 5 micro codes."""

    method: Literal["residual_kmeans", "straight_through"] = "residual_kmeans"
    """residual_kmeans: each level over what those before it leave. straight_through: the paper's learned slices."""
    codebook_size: int = 512
    """Codes of each of the 6 levels."""
    user_levels: tuple[View, ...] = ("graph", "text", "graph", "graph", "graph", "graph")
    """What each level tells users apart by, macro first; text is that of their histories."""
    item_levels: tuple[View, ...] = ("graph", "text", "text", "graph", "graph", "graph")
    """What each level tells items apart by; where there are no texts, text levels look at the graph."""
    kmeans_iterations: int = 25
    """Lloyd iterations of each level."""
    choice_rounds: int = 2
    """Times that micro codes of the graph are chosen anew, to keep every node's best scores; 0 keeps the nearest."""
    text_dim: int = 256
    """Width of the items' text vectors; 0 leaves texts out."""
    text_weight: float = 0.5
    """Length of text vectors beside graph vectors of length 1, where a level sees both and where evidence is chosen."""
    straight_through: StraightThroughConfig = field(default_factory=StraightThroughConfig)
    """The paper's tokenizer."""

    def __post_init__(self) -> None:
        for name, levels in (("user_levels", self.user_levels), ("item_levels", self.item_levels)):
            if len(levels) != NUM_CODES:
                raise ValueError(f"{name} has {len(levels)} levels; there are {NUM_CODES}")
