"""Ranking evaluation: the whole catalogue is ranked for every user who has something held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import NodeEmbeddings
from training.data import Pairs, Rows, Split
from training.metrics import ndcg_at_k, recall_at_k

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint16]
Part = Literal["valid", "test"]

KS = (10, 20, 50)
"""Cut-offs that reports show."""
CHUNK_SCORES = 16_000_000
"""Scores held at a time: 64 MB."""


@dataclass(frozen=True)
class RankingResult:
    """Means over the users who have held-out items; `recall` and `ndcg` by cut-off k."""

    recall: Mapping[int, float]
    ndcg: Mapping[int, float]
    num_users: int

    def to_json(self) -> dict[str, float | int]:
        """Flat values, named "recall@20" and so on."""
        recall = {f"recall@{k}": value for k, value in self.recall.items()}
        ndcg = {f"ndcg@{k}": value for k, value in self.ndcg.items()}
        return {**recall, **ndcg, "users": self.num_users}


def evaluate_ranking(
    user_vectors: Vectors,
    item_vectors: Vectors,
    split: Split,
    ks: Sequence[int] = KS,
    *,
    part: Part = "test",
    users: Rows | None = None,
    chunk_scores: int = CHUNK_SCORES,
) -> RankingResult:
    """Recall and NDCG of ranking all items by inner product, save those that the user is known to have met.

    Left out of each user's candidates: training pairs, pairs removed from training, disliked pairs, and valid pairs
    when `part` is "test". Shapes: user_vectors (num_users, dim), item_vectors (num_items, dim). `users` are the rows to
    judge (all with held-out items unless given; ValueError if none has any), `chunk_scores` the scores held at a time.
    """
    target = _matrix([split.valid if part == "valid" else split.test], user_vectors, item_vectors)
    known = [split.train, split.removed, split.disliked, *([split.valid] if part == "test" else [])]
    masked = _matrix(known, user_vectors, item_vectors)
    judged = np.flatnonzero(np.diff(target.indptr)) if users is None else users[np.diff(target.indptr)[users] > 0]
    if not len(judged):
        raise ValueError(f"no user has a {part} item")
    k_max = min(max(ks), len(item_vectors))
    hits = np.concatenate(
        [
            _hits(user_vectors[chunk], item_vectors, masked[chunk], target[chunk], k_max)
            for chunk in np.array_split(judged, -(-len(judged) * len(item_vectors) // chunk_scores))
        ]
    )
    num_relevant = np.diff(target.indptr)[judged].astype(np.int64)
    return RankingResult(
        {k: float(recall_at_k(hits, num_relevant, k).mean()) for k in ks},
        {k: float(ndcg_at_k(hits, num_relevant, k).mean()) for k in ks},
        len(judged),
    )


def graph_rankings(embeddings: NodeEmbeddings, split: Split) -> dict[str, RankingResult]:
    """Test ranking of the vectors, of users folded in from their training history alone, and of popularity."""
    num_users, num_items = len(embeddings.users), len(embeddings.items)
    folded = fold_in_all(embeddings, split.train, num_users)
    return {
        "vectors": evaluate_ranking(embeddings.users, embeddings.items, split),
        "fold-in": evaluate_ranking(folded, embeddings.items, split),
        "popularity": evaluate_ranking(*popularity_vectors(split, num_users, num_items), split),
    }


def token_rankings(
    user: SideTokenizer, item: SideTokenizer, user_codes: Codes, item_codes: Codes, dim_graph: int, split: Split
) -> dict[str, RankingResult]:
    """Test ranking of what all six codes decode to, and of what the macro codes alone do.

    Only the graph dimensions rank, as with vectors. Shapes: user_codes (num_users, 6), item_codes (num_items, 6).
    """
    users, items = user.decode(user_codes)[:, :dim_graph], item.decode(item_codes)[:, :dim_graph]
    macro_users = user.macro.decode(user_codes[:, 0])[:, :dim_graph]
    macro_items = item.macro.decode(item_codes[:, 0])[:, :dim_graph]
    return {
        "tokens only": evaluate_ranking(users, items, split),
        "macro only": evaluate_ranking(macro_users, macro_items, split),
    }


def popularity_vectors(split: Split, num_users: int, num_items: int) -> tuple[Vectors, Vectors]:
    """One-dimensional user and item vectors that rank every item by its number of training users."""
    popularity = np.bincount(split.train.items, minlength=num_items).astype(np.float32)
    return np.ones((num_users, 1), np.float32), popularity[:, None]


def fold_in_all(embeddings: NodeEmbeddings, train: Pairs, num_users: int) -> Vectors:
    """What `NodeEmbeddings.fold_in` makes of every user's training history, (num_users, dim_graph), all at once."""
    history_size = np.bincount(train.users, minlength=num_users)[train.users]
    weights = 1 / np.sqrt(history_size * np.maximum(embeddings.item_degree, 1)[train.items])
    shape = (num_users, len(embeddings.items))
    propagate = sp.csr_matrix((weights.astype(np.float32), (train.users, train.items)), shape=shape)
    folded: Vectors = (propagate @ embeddings.items) @ embeddings.fold_in_map
    return folded


def _matrix(parts: Iterable[Pairs], user_vectors: Vectors, item_vectors: Vectors) -> sp.csr_matrix:
    """0-1 matrix of all pairs, (num_users, num_items)."""
    users, items = (np.concatenate(column) for column in zip(*parts, strict=True))
    shape = (len(user_vectors), len(item_vectors))
    matrix = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def _hits(users: Vectors, items: Vectors, masked: sp.csr_matrix, target: sp.csr_matrix, k: int) -> NDArray[np.bool_]:
    """Whether the r-th best item is relevant, (num_users, k)."""
    scores = torch.from_numpy(users @ items.T)
    rows, columns = masked.nonzero()
    scores[torch.from_numpy(rows), torch.from_numpy(columns)] = -torch.inf
    top = torch.topk(scores, k, dim=1).indices.numpy()
    hits: NDArray[np.bool_] = np.take_along_axis(target.toarray() > 0, top, axis=1)
    return hits
