"""The losses of LightGCN training, and the adjacency it propagates over."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding, logsigmoid

Loss = Literal["bpr", "sampled_softmax"]


def symmetric_adjacency(normalized: sp.csr_matrix) -> Tensor:
    """[[0, A], [A^T, 0]], the normalised adjacency of users and items as one sparse (n, n) tensor, n nodes in all."""
    adjacency = sp.bmat([[None, normalized], [normalized.T, None]], format="csr").astype(np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(adjacency.indptr.astype(np.int64)),
            torch.from_numpy(adjacency.indices.astype(np.int64)),
            torch.from_numpy(adjacency.data),
            size=adjacency.shape,
            check_invariants=True,
        )


def batches(num_edges: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of the edges in random order, each once, (<= batch_size,) int64 at a time."""
    yield from torch.split(torch.randperm(num_edges, generator=generator), batch_size)


def batch_loss(kind: Loss, nodes: Tensor, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Mean loss of a batch of edges, a scalar; `nodes` (n, dim) are vectors of all nodes, the rest node rows.

    bpr (arXiv:1205.2618): -log sigmoid(s(u, i) - s(u, j)), negatives (batch,).
    sampled_softmax: -log of the positive's share among itself and all negatives, (num_negatives,) shared by the batch.
    """
    # F.embedding: unlike that of indexing, its gradient is summed in the same order every time.
    u, i, j = embedding(users, nodes), embedding(positives, nodes), embedding(negatives, nodes)
    positive = (u * i).sum(-1)  # (batch,)
    if kind == "bpr":
        return -logsigmoid(positive - (u * j).sum(-1)).mean()
    logits = torch.cat([positive[:, None], u @ j.T], dim=1)  # (batch, 1 + num_negatives)
    return cross_entropy(logits, torch.zeros(len(users), dtype=torch.long))
