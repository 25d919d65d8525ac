"""Joint vectors of graph and text -> one macro and five micro codebooks a side, and what each code means.

BEAT (arXiv:2512.15614) learns its codebooks with a straight-through gradient from a uniform start, which collapses to a
few codes (training.straight_through, for comparison). Here every level is k-means over what the levels before it leave
(residual quantisation, arXiv:2107.03312): the macro code is the coarse interest, the micro codes are what distinguishes
a node within it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import NodeEmbeddings, Vectors, unit_rows
from model_store.quantizer import Codes
from model_store.types import NUM_CODES
from model_store.vocabulary import Vocabulary
from training.code_choice import Partners, chosen_codes
from training.code_meanings import code_meanings
from training.config import TokenizerConfig, View
from training.data import Dataset, Pairs, Split
from training.decode_table import decode_table
from training.item_texts import ItemWords, mean_over_histories, text_vectors
from training.residual_kmeans import Advance, of_codes, residual_kmeans
from training.semantic_texts import semantic_texts
from training.train_straight_through import Losses, SideCodes, train_straight_through


@dataclass(frozen=True, eq=False)
class TrainedTokenizer:
    """Embeddings with their text part, both sides' quantizers, every node's codes and the codes' meanings.

    Shapes: user_codes (num_users, 6), item_codes (num_items, 6) uint16.
    """

    embeddings: NodeEmbeddings
    user: SideTokenizer
    item: SideTokenizer
    user_codes: Codes
    item_codes: Codes
    vocabulary: Vocabulary


def train_tokenizer(
    graph: NodeEmbeddings,
    dataset: Dataset,
    parts: Split,
    config: TokenizerConfig,
    seed: int,
    *,
    on_level: Advance = lambda levels: None,
    on_epoch: Callable[[Losses], None] = lambda losses: None,
) -> TrainedTokenizer:
    """Tokens of all users and items, from the graph vectors and texts. `on_level` counts `num_steps`.

    Learned from the items' texts, the training edges and, where the method is straight_through, the training
    explanations; `on_epoch` hears of that method's losses. ConfigError where a side has fewer nodes than
    `codebook_size`.
    """
    words = ItemWords.of_items(dataset.items)
    texts = text_vectors(words, dim=config.text_dim, length=config.text_weight, seed=seed)
    embeddings = replace(graph, item_texts=texts)
    histories = history_matrix(parts.train, dataset.num_users, dataset.num_items)
    users, items = joint_users(embeddings, histories), np.concatenate([graph.items, texts], axis=1)
    if config.method == "straight_through":
        learned = _learned_codes(graph, dataset, parts, config, seed, on_epoch)
        on_level(2 * NUM_CODES)
        found = _of_learned(users, items, learned, config)
    else:
        found = _residual(graph, users, items, config, seed, on_level)
    found = _with_tables(found, users, items, graph.item_degree)
    for _ in range(_choices(config)):
        found = _with_tables(_chosen(found, users, items, graph.dim_graph, on_level), users, items, graph.item_degree)
    user, item, user_codes, item_codes = found
    nodes = {"user": (user_codes, histories), "item": (item_codes, sp.identity(dataset.num_items, format="csr"))}
    meanings = {
        side: code_meanings(codes, items_of, words, config.codebook_size) for side, (codes, items_of) in nodes.items()
    }
    return TrainedTokenizer(embeddings, user, item, user_codes, item_codes, Vocabulary(**meanings))


class _Quantized(NamedTuple):
    user: SideTokenizer
    item: SideTokenizer
    user_codes: Codes
    item_codes: Codes


def _learned_codes(
    graph: NodeEmbeddings,
    dataset: Dataset,
    parts: Split,
    config: TokenizerConfig,
    seed: int,
    on_epoch: Callable[[Losses], None],
) -> SideCodes:
    """Codes of all nodes by the paper's tokenizer."""
    histories = history_matrix(parts.train, dataset.num_users, dataset.num_items)
    dim = config.straight_through.dim
    texts = semantic_texts(dataset, parts.train_explanations, histories, dim=dim, seed=seed)
    users = unit_rows(graph.users)
    return train_straight_through(users, graph.items, parts.train, texts, config, seed, on_epoch=on_epoch)


def _of_learned(users: Vectors, items: Vectors, learned: SideCodes, config: TokenizerConfig) -> _Quantized:
    user, item = (of_codes(x, codes, config.codebook_size) for x, codes in zip((users, items), learned, strict=True))
    return _Quantized(user, item, learned.user, learned.item)


def _residual(
    graph: NodeEmbeddings, users: Vectors, items: Vectors, config: TokenizerConfig, seed: int, on_level: Advance
) -> _Quantized:
    """Levels of k-means. Shapes: users (num_users, dim_joint), items likewise."""
    user_views = level_weights(config.user_levels, metric_of(graph.items), users)
    item_views = level_weights(config.item_levels, metric_of(graph.users), items)
    user = residual_kmeans(users, user_views, config, seed, on_level)
    item = residual_kmeans(items, item_views, config, seed, on_level)
    return _Quantized(user, item, user.encode(users), item.encode(items))


def _with_tables(found: _Quantized, users: Vectors, items: Vectors, item_degree: NDArray[np.integer]) -> _Quantized:
    """The same codes, with the tables that decode them best."""
    user, item = found.user, found.item
    popularity = np.maximum(item_degree, 1)
    return found._replace(
        user=replace(user, decode_table=decode_table(users, found.user_codes, user, np.ones(len(users)))),
        item=replace(item, decode_table=decode_table(items, found.item_codes, item, popularity)),
    )


def num_steps(config: TokenizerConfig) -> int:
    """What a training counts: the levels of both sides, and every choice of a side's codes."""
    return 2 * NUM_CODES + 2 * _choices(config)


def _choices(config: TokenizerConfig) -> int:
    return config.choice_rounds if config.method == "residual_kmeans" else 0


def _chosen(found: _Quantized, users: Vectors, items: Vectors, dim_graph: int, on_level: Advance) -> _Quantized:
    """Codes of users, then of items, chosen anew for the scores between both. Macro codes and those of texts stay."""
    graph = slice(None, dim_graph)
    vectors = {"user": users[:, graph], "item": items[:, graph]}
    sides = {"user": found.user, "item": found.item}
    codes = {"user": found.user_codes, "item": found.item_codes}
    for side, other in (("user", "item"), ("item", "user")):
        partners = Partners(vectors[other], sides[other].decode(codes[other])[:, graph])
        weights = sides[side].micro.weights
        assert weights is not None
        levels = [1 + level for level in np.flatnonzero(weights[:, graph].any(axis=1)).tolist()]
        addends = np.ascontiguousarray(sides[side].addends[..., graph])
        codes[side] = chosen_codes(vectors[side], codes[side], addends, partners, levels)
        on_level(1)
    return found._replace(user_codes=codes["user"], item_codes=codes["item"])


def history_matrix(train: Pairs, num_users: int, num_items: int) -> Any:
    """Training likes as 0 and 1, CSR (num_users, num_items)."""
    ones = np.ones(train.num_pairs, np.float32)
    return sp.csr_matrix((ones, (train.users, train.items)), shape=(num_users, num_items))


def joint_users(embeddings: NodeEmbeddings, histories: Any) -> Vectors:
    """Joint vectors of all users, (num_users, dim_joint), as NodeEmbeddings.joint_history has them.

    The graph part is the trained vector's direction in place of the folded-in one's.
    """
    texts = unit_rows(mean_over_histories(histories, embeddings.item_texts)) * embeddings.text_length
    return np.concatenate([unit_rows(embeddings.users), texts], axis=1, dtype=np.float32)


def metric_of(others: Vectors) -> Vectors:
    """How much each graph dimension counts: the mean square of the other side's vectors there. (n, dim) -> (dim,).

    The squared error of a score is (x - c) G (x - c) with G the other side's second moments, which a spectral start
    makes diagonal: weights of their root would lose the least of all scores. Weights as large as the moments themselves
    lose the least of the best scores, which are made of the strong dimensions (ADR 0006 has the figures).
    """
    squares: Vectors = np.mean(np.square(others), axis=0)
    return squares


def level_weights(levels: Sequence[View], metric: Vectors, x: Vectors) -> Vectors:
    """Weights of every level on the joint dimensions, (6, dim_joint): 0 on what the level does not look at.

    The graph is seen through its metric (dim_graph,), at the mean length 1; texts as long as they are.
    Shapes: x (n, dim_joint), the vectors to be told apart.
    """
    dim_graph = len(metric)
    weighted = np.linalg.norm(x[:, :dim_graph] * metric, axis=1).mean()
    graph = np.concatenate([metric / max(float(weighted), 1e-12), np.zeros(x.shape[1] - dim_graph)])
    text = np.concatenate([np.zeros(dim_graph), np.ones(x.shape[1] - dim_graph)])
    if not np.any(x[:, dim_graph:]):
        levels = ["graph"] * len(levels)
    weights = {"graph": graph, "text": text, "both": graph + text}
    return np.array([weights[level] for level in levels], np.float32)
