"""Ranking evaluation: the whole catalogue is ranked for every user who has something held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from training.data import Pairs, Rows, Split
from training.metrics import Counts, Hits, PerUser, ndcg_at_k, recall_at_k

Vectors = NDArray[np.float32]
Part = Literal["valid", "test"]

KS = (10, 20, 50)
"""Cut-offs that reports show."""
NUM_ACTIVITY_BINS = 5
"""Users by the length of their training history: from the fifth with the shortest to that with the longest."""
CHUNK_SCORES = 16_000_000
"""Scores held at a time: 64 MB."""


@dataclass(frozen=True)
class RankingFigures:
    """Means over users; `recall` and `ndcg` by cut-off k."""

    recall: Mapping[int, float]
    ndcg: Mapping[int, float]
    num_users: int

    def to_json(self) -> dict[str, Any]:
        """Flat values, named "recall@20" and so on."""
        recall = {f"recall@{k}": value for k, value in self.recall.items()}
        ndcg = {f"ndcg@{k}": value for k, value in self.ndcg.items()}
        return {**recall, **ndcg, "users": self.num_users}


@dataclass(frozen=True)
class ActivityBin:
    """Users with training histories of `shortest` to `longest` items, and their figures."""

    shortest: int
    longest: int
    figures: RankingFigures


@dataclass(frozen=True)
class RankingResult(RankingFigures):
    """Means over the users who have held-out items, and the same by quintile of activity, the least active first.

    Users with equally long histories are in the same bin, so that bins may differ in size or be fewer.
    """

    by_activity: tuple[ActivityBin, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Flat values, and `by_activity`: the same for each bin, with `history`: its shortest and longest."""
        bins = [{"history": [each.shortest, each.longest], **each.figures.to_json()} for each in self.by_activity]
        return {**super().to_json(), "by_activity": bins}


def evaluate_ranking(
    user_vectors: Vectors,
    item_vectors: Vectors,
    split: Split,
    ks: Sequence[int] = KS,
    *,
    part: Part = "test",
    users: Rows | None = None,
    items: Rows | None = None,
    chunk_scores: int = CHUNK_SCORES,
) -> RankingResult:
    """Recall and NDCG of ranking all items by inner product, save those that the user is known to have met.

    Left out of each user's candidates: training pairs, pairs removed from training, disliked pairs, and valid pairs
    when `part` is "test". Shapes: user_vectors (num_users, dim), item_vectors (num_items, dim). `users` are the rows to
    judge, all unless given; of them those count who have held-out items and a training history, without which there is
    nothing to rank by (ValueError if none has both). `items` are the candidates, all unless given; only they count as
    held out. `chunk_scores`: the scores held at a time.
    """
    shape = len(user_vectors), len(item_vectors)
    target, masked = _matrix([split.valid if part == "valid" else split.test], shape), _known(split, part, shape)
    if items is not None:
        target, masked, item_vectors = target[:, items], masked[:, items], item_vectors[items]
    activity = np.bincount(split.train.users, minlength=len(user_vectors))
    judged = _judged(target, activity, users)
    if not len(judged):
        raise ValueError(f"no user has a {part} item")
    k_max = min(max(ks), len(item_vectors))
    hits = np.concatenate(
        [
            _hits(user_vectors[chunk], item_vectors, masked[chunk], target[chunk], k_max)
            for chunk in np.array_split(judged, -(-len(judged) * len(item_vectors) // chunk_scores))
        ]
    )
    return _result(hits, np.diff(target.indptr)[judged].astype(np.int64), activity[judged], ks)


def top_items(
    user_vectors: Vectors, item_vectors: Vectors, split: Split, users: Rows, k: int, *, part: Part = "test"
) -> Rows:
    """Item rows of the best k candidates of each of the `users`, best first, (n, k).

    Candidates are those of `evaluate_ranking`. Shapes: user_vectors (n, dim), one for each of `users`; item_vectors
    (num_items, dim).
    """
    masked = _known(split, part, (int(users.max()) + 1, len(item_vectors)))[users]
    return _top(user_vectors, item_vectors, masked, min(k, len(item_vectors)))


def _known(split: Split, part: Part, shape: tuple[int, int]) -> sp.csr_matrix:
    """Pairs that are no candidates, (num_users, num_items)."""
    parts = [split.train, split.removed, split.disliked, *([split.valid] if part == "test" else [])]
    left = [pairs.take(pairs.users < shape[0]) for pairs in parts]
    return _matrix(left, shape)


def _judged(target: sp.csr_matrix, activity: Counts, users: Rows | None) -> Rows:
    """The rows to judge: those of `users` who have something held out and something to know them by."""
    judged = np.flatnonzero((np.diff(target.indptr) > 0) & (activity > 0))
    return judged if users is None else users[np.isin(users, judged)]


def _result(hits: Hits, num_relevant: Counts, activity: Counts, ks: Sequence[int]) -> RankingResult:
    """Means over all users and over each bin of activity. Shapes: hits (n, k_max), num_relevant and activity (n,)."""
    recall = {k: recall_at_k(hits, num_relevant, k) for k in ks}
    ndcg = {k: ndcg_at_k(hits, num_relevant, k) for k in ks}
    edges = np.quantile(activity, np.arange(1, NUM_ACTIVITY_BINS) / NUM_ACTIVITY_BINS)
    bin_of = np.searchsorted(edges, activity)
    members = [np.flatnonzero(bin_of == number) for number in np.unique(bin_of)]
    bins = [
        ActivityBin(int(activity[rows].min()), int(activity[rows].max()), _figures(recall, ndcg, rows))
        for rows in members
    ]
    everybody = _figures(recall, ndcg, np.arange(len(activity)))
    return RankingResult(everybody.recall, everybody.ndcg, everybody.num_users, tuple(bins))


def _figures(recall: Mapping[int, PerUser], ndcg: Mapping[int, PerUser], rows: Rows) -> RankingFigures:
    means = [{k: float(values[rows].mean()) for k, values in metric.items()} for metric in (recall, ndcg)]
    return RankingFigures(means[0], means[1], len(rows))


def _matrix(parts: Iterable[Pairs], shape: tuple[int, int]) -> sp.csr_matrix:
    """0-1 matrix of all pairs, (num_users, num_items)."""
    users, items = (np.concatenate(column) for column in zip(*parts, strict=True))
    matrix = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def _hits(users: Vectors, items: Vectors, masked: sp.csr_matrix, target: sp.csr_matrix, k: int) -> Hits:
    """Whether the r-th best item is relevant, (num_users, k)."""
    hits: Hits = np.take_along_axis(target.toarray() > 0, _top(users, items, masked, k), axis=1)
    return hits


def _top(users: Vectors, items: Vectors, masked: sp.csr_matrix, k: int) -> Rows:
    """The best k items of each user by inner product, those that are masked left out, (num_users, k)."""
    scores = torch.from_numpy(users @ items.T)
    rows, columns = masked.nonzero()
    scores[torch.from_numpy(rows), torch.from_numpy(columns)] = -torch.inf
    top: Rows = torch.topk(scores, k, dim=1).indices.numpy()
    return top
