"""The paper's tokenizer (arXiv:2512.15614), for comparison: learned slices, quantised with a straight-through gradient.

A node's vector is cut into five slices, one for each micro code; the whole vector makes the macro code. Each is mapped
to the codewords' space, brought to length 1 and replaced by its nearest codeword, past which the gradient goes on
(arXiv:1711.00937). Edges are rebuilt from codewords; the micro vectors of a node are kept apart.
"""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from model_store.embeddings import Vectors
from model_store.quantizer import Codes
from model_store.types import NUM_CODES, NUM_MICRO
from training.config import ConfigError, TokenizerConfig
from training.data import Pairs

KMEANS_ITERATIONS = 10
ENCODED_ROWS = 4096
"""Nodes encoded at a time."""


class SideCodes(NamedTuple):
    """Codes of all nodes. Shapes: user (num_users, 6), item (num_items, 6) uint16."""

    user: Codes
    item: Codes


class Quantized(NamedTuple):
    """Shapes: codewords (n, 6, dim), with the gradient of what they stand for; codes (n, 6); loss ()."""

    codewords: Tensor
    codes: Tensor
    loss: Tensor


class StraightThroughQuantizer(nn.Module):
    """One side: six maps and six codebooks, macro first."""

    def __init__(self, x: Tensor, config: TokenizerConfig, seed: int) -> None:
        super().__init__()
        told, size = config.straight_through, config.codebook_size
        self.commitment, self.disentanglement = told.commitment, told.disentanglement
        self.macro = nn.Linear(x.shape[1], told.dim, bias=False)
        self.micro = nn.ModuleList(nn.Linear(x.shape[1] // NUM_MICRO, told.dim, bias=False) for _ in range(NUM_MICRO))
        if told.start == "uniform":
            start = torch.empty(NUM_CODES, size, told.dim).uniform_(-1 / size, 1 / size)
        else:
            with torch.no_grad():
                start = torch.stack([_centroids(level, size, seed) for level in self.vectors(x).unbind(1)])
        self.codebooks = nn.Parameter(start)  # (6, codebook_size, dim)

    def vectors(self, x: Tensor) -> Tensor:
        """Macro vector and micro vectors at length 1. Shapes: x (n, dim_graph) -> (n, 6, dim)."""
        slices = x.chunk(NUM_MICRO, dim=1)
        levels = [self.macro(x), *(to_codes(part) for to_codes, part in zip(self.micro, slices, strict=True))]
        return normalize(torch.stack(levels, dim=1), dim=-1)

    def forward(self, x: Tensor) -> Quantized:
        """Codewords of x and the side's own losses: codebook, commitment, disentanglement."""
        z = self.vectors(x)  # (n, 6, dim)
        with torch.no_grad():
            scores = torch.einsum("nld,lkd->nlk", z, self.codebooks) - self.codebooks.square().sum(-1) / 2
            codes = scores.argmax(-1)
        c = self.codebooks[torch.arange(NUM_CODES), codes]
        pull = (c - z.detach()).square().sum(-1).mean() + self.commitment * (z - c.detach()).square().sum(-1).mean()
        cosines = z[:, 1:] @ z[:, 1:].transpose(1, 2)  # (n, 5, 5)
        apart = cosines.square().sum((1, 2)).sub(NUM_MICRO).mean() / (NUM_MICRO * (NUM_MICRO - 1))
        return Quantized(z + (c - z).detach(), codes, pull + self.disentanglement * apart)


def train_straight_through(
    users: Vectors, items: Vectors, train: Pairs, config: TokenizerConfig, seed: int
) -> SideCodes:
    """Codes of all nodes, learned from the training edges, each against an edge to a random item.

    Shapes: users (num_users, dim_graph), items (num_items, dim_graph). ConfigError as of residual k-means.
    """
    if (fewest := min(len(users), len(items))) < config.codebook_size:
        raise ConfigError(f"{fewest} nodes cannot fill codebooks of {config.codebook_size}: lower codebook_size")
    told = config.straight_through
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x, y = _scaled(users), _scaled(items)
        user, item = StraightThroughQuantizer(x, config, seed), StraightThroughQuantizer(y, config, seed)
        optimizer = torch.optim.Adam([*user.parameters(), *item.parameters()], told.learning_rate)
        edges = torch.from_numpy(np.stack([train.users, train.items]).astype(np.int64))  # (2, num_pairs)
        for _ in range(told.epochs):
            for batch in torch.randperm(edges.shape[1]).chunk(-(-edges.shape[1] // told.batch_size)):
                u, i = edges[:, batch]
                us, liked, other = user(x[u]), item(y[i]), item(y[torch.randint(len(y), i.shape)])
                gap = _score(us.codewords, liked.codewords) - _score(us.codewords, other.codewords)
                loss = softplus(-gap).mean() + us.loss + (liked.loss + other.loss) / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return SideCodes(_codes(user, x), _codes(item, y))


def _score(user: Tensor, item: Tensor) -> Tensor:
    """Inner product of <micro + macro repeated> of both sides. Shapes: (n, 6, dim) twice -> (n,)."""
    return ((user[:, 1:] + user[:, :1]) * (item[:, 1:] + item[:, :1])).sum((1, 2))


def _scaled(x: Vectors) -> Tensor:
    """Every dimension at a mean square of 1: else the last slices, the weakest, would hardly learn."""
    return torch.from_numpy(x / np.maximum(np.sqrt(np.mean(np.square(x), axis=0)), 1e-12))


def _centroids(x: Tensor, size: int, seed: int) -> Tensor:
    kmeans = faiss.Kmeans(
        x.shape[1], size, niter=KMEANS_ITERATIONS, seed=seed, min_points_per_centroid=1, max_points_per_centroid=len(x)
    )
    kmeans.train(np.ascontiguousarray(x.numpy()))
    return torch.from_numpy(np.array(kmeans.centroids, np.float32))


@torch.no_grad()
def _codes(side: StraightThroughQuantizer, x: Tensor) -> Codes:
    codes: Codes = (
        torch.cat([side(rows).codes for rows in x.chunk(-(-len(x) // ENCODED_ROWS))]).numpy().astype(np.uint16)
    )
    return codes
