"""Interactions to vectors: LightGCN (arXiv:2002.02126) from a spectral or a random start.

x_final = mean over layers l = 0..L of A~^l x_0, A~ the symmetrically normalised adjacency. The spectral x_0 is such
that x_final is the closed form of training.spectral, where one propagation multiplies each dimension by its s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.nn.models import LightGCN

from model_store.embeddings import NodeEmbeddings
from model_store.types import NUM_MICRO
from training.config import VectorsConfig
from training.data import Rows, Split
from training.fold_in import fit_fold_in_map
from training.graph_loss import batch_loss, batches, symmetric_adjacency
from training.ranking import RankingResult, evaluate_ranking
from training.spectral import (
    GraphFilter,
    choose_filter,
    degree_scale,
    filter_weights,
    normalized_matrix,
    spectrum,
)

Vectors = NDArray[np.float32]

MAIN_K = 20
"""Cut-off of the NDCG by which epochs and filters are chosen."""


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training edges came to; epoch 0 is the start."""

    number: int
    loss: float | None
    """Mean over the edges; None for the start."""
    valid: RankingResult | None
    """On valid edges; None where there are none."""


@dataclass(frozen=True, eq=False)
class TrainedVectors:
    """The best epoch's vectors and how they came about; `graph_filter` is None for a random start."""

    embeddings: NodeEmbeddings
    epochs: tuple[Epoch, ...]
    best_epoch: int
    graph_filter: GraphFilter | None


@dataclass(frozen=True, eq=False)
class Start:
    """x_0 (num_nodes, dim), users first, and the constant factor on each node's final vector, (num_nodes, 1)."""

    x: Vectors
    scale: Vectors
    graph_filter: GraphFilter | None


class ValidEdges:
    """The judge of vectors while they are trained: valid edges of a fixed sample of users. Test edges play no part."""

    def __init__(self, split: Split, num_users: int, seed: int) -> None:
        users = np.unique(split.valid.users)
        chosen = np.random.default_rng(seed).choice(users, min(num_users, len(users)), replace=False)
        self.users: Rows = np.sort(chosen)
        self._split = split

    def result(self, users: Vectors, items: Vectors) -> RankingResult | None:
        """Recall and NDCG@20, or None where there are no valid edges."""
        if not len(self.users):
            return None
        return evaluate_ranking(users, items, self._split, (MAIN_K,), part="valid", users=self.users)

    def ndcg(self, users: Vectors, items: Vectors) -> float:
        """NDCG@20, 0 where there are no valid edges."""
        result = self.result(users, items)
        return result.ndcg[MAIN_K] if result else 0.0


def train_lightgcn(
    split: Split,
    num_users: int,
    num_items: int,
    config: VectorsConfig,
    seed: int,
    *,
    on_edges: Callable[[int], None] = lambda count: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> TrainedVectors:
    """Vectors of width 5 * dim_per_level for every user and item; item_texts are left empty, (num_items, 0).

    The epoch with the best NDCG@20 on valid edges is kept, the start counting as epoch 0 (without valid edges: the
    last). `on_edges` hears of every step, `on_epoch` of every epoch. The same seed gives the same bytes on one machine.
    """
    valid = ValidEdges(split, config.num_valid_users, seed)
    normalized = normalized_matrix(split.train, num_users, num_items)
    item_degree = np.bincount(split.train.items, minlength=num_items).astype(np.int64)
    start = _start(normalized, item_degree, config, seed, valid)
    training = _Training(split, start, symmetric_adjacency(normalized), num_users, config, seed)
    epochs, best_epoch, (users, items) = _best_epoch(training, valid, config, on_edges, on_epoch)
    embeddings = NodeEmbeddings(
        users=users,
        items=items,
        item_texts=np.zeros((num_items, 0), np.float32),
        item_degree=item_degree,
        fold_in_map=fit_fold_in_map(users, items, normalized),
    )
    return TrainedVectors(embeddings, epochs, best_epoch, start.graph_filter)


def _start(
    normalized: sp.csr_matrix, item_degree: NDArray[np.int64], config: VectorsConfig, seed: int, valid: ValidEdges
) -> Start:
    num_users, num_items = normalized.shape
    dim = NUM_MICRO * config.dim_per_level
    if config.start == "xavier":
        x = torch.empty(num_users + num_items, dim)
        torch.nn.init.xavier_uniform_(x, generator=torch.Generator().manual_seed(seed))
        return Start(x.numpy(), np.ones((len(x), 1), np.float32), None)
    triplets = spectrum(normalized, dim, seed)
    chosen = choose_filter(triplets, item_degree, valid.ndcg)
    weights = filter_weights(triplets.values, chosen)
    layers = triplets.values[:, None] ** np.arange(config.num_layers + 1)  # what each layer makes of a dimension
    x = np.concatenate([triplets.users, triplets.items]) * (weights / layers.mean(1))
    user_scale = np.ones((num_users, 1), np.float32) / _mean_length(triplets.users * weights)
    by_degree = degree_scale(item_degree, chosen)
    item_scale = by_degree / _mean_length(triplets.items * weights * by_degree)
    return Start(x, np.concatenate([user_scale, item_scale]), chosen)


def _mean_length(vectors: Vectors) -> np.float32:
    """Mean Euclidean length: divided by it, users and items are of one size, as loss and quantizers like them."""
    return np.float32(np.linalg.norm(vectors, axis=1).mean())


class _Training:
    """The model in training: one epoch at a time."""

    def __init__(
        self, split: Split, start: Start, adjacency: Tensor, num_users: int, config: VectorsConfig, seed: int
    ) -> None:
        num_nodes, dim = start.x.shape
        self._model = LightGCN(num_nodes, dim, config.num_layers, normalize=False)
        with torch.no_grad():
            self._model.embedding.weight.copy_(torch.from_numpy(start.x))
        self._adjacency, self._scale = adjacency, torch.from_numpy(start.scale)
        self._num_users, self._config = num_users, config
        self._users = torch.from_numpy(split.train.users.copy())
        self._items = torch.from_numpy(split.train.items + num_users)
        self._generator = torch.Generator().manual_seed(seed)
        size = float(np.sqrt(np.mean(start.x**2)))
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=config.learning_rate * size)

    def vectors(self) -> tuple[Vectors, Vectors]:
        """Final vectors as they stand: users (num_users, dim), items (num_items, dim)."""
        with torch.no_grad():
            nodes = self._nodes().numpy()
        return nodes[: self._num_users].copy(), nodes[self._num_users :].copy()

    def epoch(self, on_edges: Callable[[int], None]) -> float:
        """One pass over the training edges. Returns the mean loss."""
        total = 0.0
        for batch in batches(len(self._users), self._config.batch_size, self._generator):
            loss = self._loss(self._users[batch], self._items[batch])
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            total += loss.item() * len(batch)
            on_edges(len(batch))
        return total / len(self._users)

    def _loss(self, users: Tensor, positives: Tensor) -> Tensor:
        count = len(users) if self._config.loss == "bpr" else self._config.num_negatives
        negatives = torch.randint(self._num_users, len(self._scale), (count,), generator=self._generator)
        nodes = self._nodes() / self._config.temperature**0.5
        return batch_loss(self._config.loss, nodes, users, positives, negatives)

    def _nodes(self) -> Tensor:
        nodes: Tensor = self._model.get_embedding(self._adjacency) * self._scale
        return nodes


def _best_epoch(
    training: _Training,
    valid: ValidEdges,
    config: VectorsConfig,
    on_edges: Callable[[int], None],
    on_epoch: Callable[[Epoch], None],
) -> tuple[tuple[Epoch, ...], int, tuple[Vectors, Vectors]]:
    best, best_ndcg, best_epoch = training.vectors(), -1.0, 0
    epochs: list[Epoch] = []
    for number in range(config.max_epochs + 1):
        loss = training.epoch(on_edges) if number else None
        vectors = training.vectors()
        epochs.append(Epoch(number, loss, valid.result(*vectors)))
        on_epoch(epochs[-1])
        result = epochs[-1].valid
        if result is None or result.ndcg[MAIN_K] > best_ndcg:
            best, best_epoch = vectors, number
            best_ndcg = result.ndcg[MAIN_K] if result else best_ndcg
        elif number - best_epoch >= config.patience:
            break
    return tuple(epochs), best_epoch, best
