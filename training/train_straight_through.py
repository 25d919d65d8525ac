"""The paper's tokenizer (arXiv:2512.15614), for comparison: codes learned from edges and from what texts say.

Edges are rebuilt from codewords, and the micro vectors of a node are kept apart. A pair's macro codewords are drawn to
its explanation; a node's micro codewords have to tell the intent phrases that are hidden from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from model_store.embeddings import Vectors
from model_store.quantizer import Codes
from training.config import ConfigError, TokenizerConfig
from training.data import Pairs
from training.semantic_losses import MaskedPhrases, info_nce
from training.semantic_texts import SemanticTexts
from training.straight_through import Quantized, StraightThroughQuantizer

SUPERVISED = 512
"""Explanations a step, and edges a step whose nodes' phrases are rebuilt."""

Losses = dict[str, float]
"""By name, before they are weighted. `edges`: log-sigmoid of an edge's score over that of one to a random item; `pull`:
between vectors and codewords; `apart`: mean squared cosine of a node's micro vectors; `macro`: InfoNCE of macro
codewords and explanations; `micro`: squared error of hidden phrases, 1 for who says nothing. Those that the config
leaves out are missing."""


class SideCodes(NamedTuple):
    """Codes of all nodes. Shapes: user (num_users, 6), item (num_items, 6) uint16."""

    user: Codes
    item: Codes


def train_straight_through(
    users: Vectors,
    items: Vectors,
    train: Pairs,
    texts: SemanticTexts,
    config: TokenizerConfig,
    seed: int,
    *,
    on_epoch: Callable[[Losses], None] = lambda losses: None,
) -> SideCodes:
    """Codes of all nodes, learned from the training edges and from `texts`. `on_epoch` hears of every epoch's means.

    Shapes: users (num_users, dim_graph), items (num_items, dim_graph). ConfigError as of residual k-means.
    """
    if (fewest := min(len(users), len(items))) < config.codebook_size:
        raise ConfigError(f"{fewest} nodes cannot fill codebooks of {config.codebook_size}: lower codebook_size")
    told = config.straight_through
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = StraightThroughTokenizer(_scaled(users), _scaled(items), texts, config, seed)
        optimizer = torch.optim.Adam(tokenizer.parameters(), told.learning_rate)
        edges = torch.from_numpy(np.stack([train.users, train.items]).astype(np.int64))  # (2, num_pairs)
        for _ in range(told.epochs):
            steps = []
            for batch in torch.randperm(edges.shape[1]).chunk(-(-edges.shape[1] // told.batch_size)):
                losses = tokenizer(*edges[:, batch])
                optimizer.zero_grad()
                sum(tokenizer.weights[name] * loss for name, loss in losses.items()).backward()
                optimizer.step()
                steps.append({name: loss.item() for name, loss in losses.items()})
            on_epoch({name: float(np.mean([step[name] for step in steps])) for name in steps[0]})
        return SideCodes(tokenizer.user.encode(tokenizer.x), tokenizer.item.encode(tokenizer.y))


class StraightThroughTokenizer(nn.Module):
    """Both sides' quantizers and what teaches them. Shapes: x (num_users, dim_graph), y (num_items, dim_graph)."""

    def __init__(self, x: Tensor, y: Tensor, texts: SemanticTexts, config: TokenizerConfig, seed: int) -> None:
        super().__init__()
        told = config.straight_through
        self.x, self.y, self.texts = x, y, texts
        self.user, self.item = StraightThroughQuantizer(x, config, seed), StraightThroughQuantizer(y, config, seed)
        self.user_phrases, self.item_phrases = MaskedPhrases(told.dim), MaskedPhrases(told.dim)
        weights = {"macro": told.macro_supervision if len(texts.users) else 0.0, "micro": told.micro_supervision}
        supervised = {name: weight for name, weight in weights.items() if weight}
        self.weights = {"edges": 1.0, "pull": 1.0, "apart": told.disentanglement, **supervised}

    def forward(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """Losses by name, each (), of the edges between these rows, (n,) both, and of a sample of explanations."""
        us, liked = self.user(self.x[users]), self.item(self.y[items])
        other = self.item(self.y[torch.randint(len(self.y), items.shape)])
        gap = _score(us.codewords, liked.codewords) - _score(us.codewords, other.codewords)
        losses = {
            "edges": softplus(-gap).mean(),
            "pull": us.pull + (liked.pull + other.pull) / 2,
            "apart": us.apart + (liked.apart + other.apart) / 2,
        }
        if "macro" in self.weights:
            losses["macro"] = self.macro_loss(torch.randperm(len(self.texts.users))[:SUPERVISED])
        if "micro" in self.weights:
            few = slice(SUPERVISED)
            losses["micro"] = (
                self.user_phrases(us.codewords[few, 1:], *self.texts.user_phrases.of(users[few]))
                + self.item_phrases(liked.codewords[few, 1:], *self.texts.item_phrases.of(items[few]))
            ) / 2
        return losses

    def macro_loss(self, explanations: Tensor) -> Tensor:
        """InfoNCE of the explanations at these rows, (n,), each with the macro codewords of its user and its item."""
        user: Quantized = self.user(self.x[self.texts.users[explanations]])
        item: Quantized = self.item(self.y[self.texts.items[explanations]])
        return info_nce(user.codewords[:, 0] + item.codewords[:, 0], self.texts.sentences[explanations])


def _score(user: Tensor, item: Tensor) -> Tensor:
    """Inner product of <micro + macro repeated> of both sides. Shapes: (n, 6, dim) twice -> (n,)."""
    return ((user[:, 1:] + user[:, :1]) * (item[:, 1:] + item[:, :1])).sum((1, 2))


def _scaled(x: Vectors) -> Tensor:
    """Every dimension at a mean square of 1: else the last slices, the weakest, would hardly learn."""
    return torch.from_numpy(x / np.maximum(np.sqrt(np.mean(np.square(x), axis=0)), 1e-12))
