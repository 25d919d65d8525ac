"""The paper's quantizer (arXiv:2512.15614), for comparison: learned slices, with a straight-through gradient.

A node's vector is cut into five slices, one for each micro code; the whole vector makes the macro code. Each is mapped
to the codewords' space, brought to length 1 and replaced by its nearest codeword, past which the gradient goes on
(arXiv:1711.00937).
"""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from model_store.quantizer import Codes
from model_store.types import NUM_CODES, NUM_MICRO
from training.config import TokenizerConfig

KMEANS_ITERATIONS = 10
ENCODED_ROWS = 4096
"""Nodes encoded at a time."""


class Quantized(NamedTuple):
    """Shapes: codewords (n, 6, dim), with the gradient of what they stand for; codes (n, 6); losses ()."""

    codewords: Tensor
    codes: Tensor
    pull: Tensor
    """Between vectors and their codewords: codebook and commitment loss."""
    apart: Tensor
    """Mean squared cosine between a node's micro vectors."""


class StraightThroughQuantizer(nn.Module):
    """One side: six maps and six codebooks, macro first."""

    def __init__(self, x: Tensor, config: TokenizerConfig, seed: int) -> None:
        super().__init__()
        told, size = config.straight_through, config.codebook_size
        self.commitment = told.commitment
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
        """Codewords of x and the side's own losses."""
        z = self.vectors(x)  # (n, 6, dim)
        with torch.no_grad():
            scores = torch.einsum("nld,lkd->nlk", z, self.codebooks) - self.codebooks.square().sum(-1) / 2
            codes = scores.argmax(-1)
        c = self.codebooks[torch.arange(NUM_CODES), codes]
        pull = (c - z.detach()).square().sum(-1).mean() + self.commitment * (z - c.detach()).square().sum(-1).mean()
        cosines = z[:, 1:] @ z[:, 1:].transpose(1, 2)  # (n, 5, 5)
        others = cosines * (1 - torch.eye(NUM_MICRO))
        apart = others.square().sum((1, 2)).mean() / (NUM_MICRO * (NUM_MICRO - 1))
        return Quantized(z + (c - z).detach(), codes, pull, apart)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Codes:
        """Codes of many. Shapes: x (n, dim_graph) -> (n, 6) uint16."""
        found = [self(rows).codes for rows in x.chunk(-(-len(x) // ENCODED_ROWS))]
        codes: Codes = torch.cat(found).numpy().astype(np.uint16)
        return codes


def _centroids(x: Tensor, size: int, seed: int) -> Tensor:
    kmeans = faiss.Kmeans(
        x.shape[1], size, niter=KMEANS_ITERATIONS, seed=seed, min_points_per_centroid=1, max_points_per_centroid=len(x)
    )
    kmeans.train(np.ascontiguousarray(x.numpy()))
    return torch.from_numpy(np.array(kmeans.centroids, np.float32))
