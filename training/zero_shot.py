"""Zero-shot evaluation: what users and items get who had no part in anything that was trained.

A share of the users (then, apart from that, of the items) is left out of the data, vectors and quantizers are trained
on what is left exactly as the run trains its own, and those left out get their tokens as the service would give them:
users by fold-in of their history part, items by the vectors of the items with like texts. The published version is
trained on everybody: it should not know a tenth of its users less well for the sake of a figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.embeddings import Vectors
from training.cold_items import borrowed_vectors, text_neighbours, with_borrowed_items
from training.config import RunConfig
from training.data import Dataset, Rows, Split, held_out_nodes, subset
from training.item_texts import ItemWords
from training.ranking import evaluate_ranking
from training.ranking_arms import Arm, fold_in_all, judged, popularity_vectors, token_arms
from training.recency import recency_weights
from training.train_lightgcn import train_lightgcn
from training.train_tokenizer import TrainedTokenizer, history_matrix, joint_users, train_tokenizer

K = 20
"""Cut-off of the shares that sum the comparison up."""


def zero_shot_users(dataset: Dataset, parts: Split, config: RunConfig, full: TrainedTokenizer) -> dict[str, Any]:
    """Figures of held-out users, by part and arm, beside those of users who were trained on.

    `zero_shot`: tokens by fold-in of the history part, quantizers trained without these users. `seen`: everybody else
    under the same quantizers. `same_users_seen`: the held-out users in the run that was trained on them (`full`).
    `kept`: the share of Recall@20 on test that tokens only keep, of other users' and of their own. Nothing where
    none of them has a test item.
    """
    held_out = held_out_nodes(dataset.user_ids, config.zero_shot.user_share, config.split.seed)
    rows = np.flatnonzero(held_out)
    if not held_out[parts.test.users].any():
        return {}
    known, strangers = subset(dataset, parts, users=~held_out), subset(dataset, parts, users=held_out)
    trained = _trained(known.dataset, known.split, config)
    popularity = popularity_vectors(known.split, len(rows), dataset.num_items)
    recency = config.recency
    weights = recency_weights(strangers.dataset, strangers.split.train, recency.half_life, recency.unit)
    folded = folded_in(trained, strangers.split, len(rows), weights)
    report = {
        "zero_shot": judged([*_arms(folded), Arm("popularity", *popularity)], strangers.split),
        "seen": judged(_arms(trained), known.split),
        "same_users_seen": judged(_arms(full), parts, users=rows),
    }
    kept = {name: _kept(report["zero_shot"], report[name]) for name in ("seen", "same_users_seen")}
    return {"held_out": len(rows), **report, "kept": kept}


def zero_shot_items(dataset: Dataset, parts: Split, config: RunConfig, full: TrainedTokenizer) -> dict[str, Any]:
    """Figures of held-out items among themselves, on the test edges that lead to them.

    `text`: vectors from like items; `tokens`: their codes, users by their codes too; `trained`: what `full` gets, which
    had their training edges; `random`: the expected Recall@20 of a random order. Nothing where no test edge leads to
    any.
    """
    held_out = held_out_nodes(dataset.item_ids, config.zero_shot.item_share, config.split.seed)
    if not held_out[parts.test.items].any():
        return {}
    known = subset(dataset, parts, items=~held_out)
    trained = _trained(known.dataset, known.split, config)
    cold, warm = np.flatnonzero(held_out), np.flatnonzero(~held_out)
    neighbours = text_neighbours(ItemWords.of_items(dataset.items), cold, warm)
    graph = trained.embeddings
    texts = borrowed_vectors(neighbours, graph.item_texts)
    joint = np.concatenate([borrowed_vectors(neighbours, graph.items), texts], axis=1)
    decoded = trained.item.decode(trained.item.encode(joint))
    dim = graph.dim_graph
    arms = {
        "text": (graph.users, joint),
        "tokens": (trained.user.decode(trained.user_codes), decoded),
        "trained": (full.embeddings.users, full.embeddings.items[cold]),
    }
    figures = {
        arm: evaluate_ranking(users[:, :dim], _placed(items[:, :dim], cold, dataset.num_items), parts, items=cold)
        for arm, (users, items) in arms.items()
    }
    alone = int((np.diff(neighbours.indptr) == 0).sum())
    return {
        "held_out": len(cold),
        "without_like_items": alone,
        **{arm: result.to_json() for arm, result in figures.items()},
        "random": min(1.0, K / len(cold)),
    }


def zero_shot_strangers(known: TrainedTokenizer, parts: Split, num_users: int) -> dict[str, Any]:
    """Figures, by part and arm, of users whom a version never saw, from their histories in `parts`.

    There items are the version's rows, users 0 to `num_users` - 1.
    """
    return judged(_arms(folded_in(known, parts, num_users)), parts)


def folded_in(
    trained: TrainedTokenizer, parts: Split, num_users: int, weights: NDArray[np.float64] | None = None
) -> TrainedTokenizer:
    """The same tokenizer with the users of `parts`, who were not trained on, in place of its own.

    `weights` (num_pairs,) of their training pairs: how much each counts for the graph's part.
    """
    vectors = fold_in_all(trained.embeddings, parts.train, num_users, weights)
    folded = replace(trained.embeddings, users=vectors)
    histories = history_matrix(parts.train, num_users, len(folded.items))
    return replace(trained, embeddings=folded, user_codes=trained.user.encode(joint_users(folded, histories)))


def _trained(dataset: Dataset, parts: Split, config: RunConfig) -> TrainedTokenizer:
    """Vectors and quantizers of this data alone, made as the run makes its own."""
    graph = train_lightgcn(parts, dataset.num_users, dataset.num_items, config.vectors, config.seed).embeddings
    graph = with_borrowed_items(graph, dataset.items)
    return train_tokenizer(graph, dataset, parts, config.tokenizer, config.seed)


def _arms(trained: TrainedTokenizer) -> Iterator[Arm]:
    graph = trained.embeddings
    yield Arm("vectors", graph.users, graph.items)
    yield from token_arms(trained.user, trained.item, trained.user_codes, trained.item_codes, graph.dim_graph)


def _kept(zero_shot: dict[str, Any], seen: dict[str, Any]) -> float:
    """Share of the Recall@20 of seen users' tokens that unseen users' tokens have, on test edges."""
    ours, theirs = (float(each["test"]["tokens only"][f"recall@{K}"]) for each in (zero_shot, seen))
    return ours / theirs if theirs else 0.0


def _placed(vectors: Vectors, rows: Rows, num_rows: int) -> Vectors:
    """The vectors at these rows of an otherwise empty matrix, (num_rows, dim)."""
    placed = np.zeros((num_rows, vectors.shape[1]), np.float32)
    placed[rows] = vectors
    return placed
