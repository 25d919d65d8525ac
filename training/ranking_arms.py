"""Who ranks: vectors, folded-in histories, behaviour tokens, macro codes and popularity, each judged on both parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import NodeEmbeddings
from training.data import Pairs, Rows, Split
from training.ranking import Part, Vectors, evaluate_ranking

Codes = NDArray[np.uint16]

PARTS: tuple[Part, ...] = ("test", "valid")


class Arm(NamedTuple):
    """Vectors that rank by inner product. Shapes: users (num_users, dim), items (num_items, dim)."""

    name: str
    users: Vectors
    items: Vectors


def judged(arms: Iterable[Arm], split: Split, *, users: Rows | None = None) -> dict[str, dict[str, Any]]:
    """Figures by part ("test", "valid"), then by arm; a part in which nobody can be judged is left out.

    One arm is in memory at a time. `users` as of `evaluate_ranking`.
    """
    parts = [part for part in PARTS if np.isin(getattr(split, part).users, split.train.users).any()]
    report: dict[str, dict[str, Any]] = {part: {} for part in parts}
    for arm in arms:
        for part in parts:
            result = evaluate_ranking(arm.users, arm.items, split, part=part, users=users)
            report[part][arm.name] = result.to_json()
    return report


def graph_arms(embeddings: NodeEmbeddings, split: Split) -> Iterator[Arm]:
    """The vectors, users folded in from their training history alone, and popularity."""
    num_users, num_items = len(embeddings.users), len(embeddings.items)
    yield Arm("vectors", embeddings.users, embeddings.items)
    yield Arm("fold-in", fold_in_all(embeddings, split.train, num_users), embeddings.items)
    yield Arm("popularity", *popularity_vectors(split, num_users, num_items))


def token_arms(
    user: SideTokenizer, item: SideTokenizer, user_codes: Codes, item_codes: Codes, dim_graph: int
) -> Iterator[Arm]:
    """What all six codes decode to, and what the macro codes alone do.

    Only the graph dimensions rank, as with vectors. Shapes: user_codes (num_users, 6), item_codes (num_items, 6).
    """
    yield Arm("tokens only", user.decode(user_codes)[:, :dim_graph], item.decode(item_codes)[:, :dim_graph])
    macro = user.macro.decode(user_codes[:, 0]), item.macro.decode(item_codes[:, 0])
    yield Arm("macro only", *(vectors[:, :dim_graph] for vectors in macro))


def popularity_vectors(split: Split, num_users: int, num_items: int) -> tuple[Vectors, Vectors]:
    """One-dimensional user and item vectors that rank every item by its number of training users."""
    popularity = np.bincount(split.train.items, minlength=num_items).astype(np.float32)
    return np.ones((num_users, 1), np.float32), popularity[:, None]


def fold_in_all(
    embeddings: NodeEmbeddings, train: Pairs, num_users: int, weights: NDArray[np.floating] | None = None
) -> Vectors:
    """What `NodeEmbeddings.fold_in` makes of every user's training history, (num_users, dim_graph), all at once.

    Shapes: weights (train.num_pairs,), how much each pair counts; all 1 unless given.
    """
    history_size = np.bincount(train.users, minlength=num_users)[train.users]
    counts = (1 if weights is None else weights) / np.sqrt(
        history_size * np.maximum(embeddings.item_degree, 1)[train.items]
    )
    shape = (num_users, len(embeddings.items))
    propagate = sp.csr_matrix((counts.astype(np.float32), (train.users, train.items)), shape=shape)
    folded: Vectors = (propagate @ embeddings.items) @ embeddings.fold_in_map
    return folded
