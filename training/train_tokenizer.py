"""Joint vectors of graph and text -> one macro and five micro codebooks a side, and what each code means.

BEAT (arXiv:2512.15614) learns its codebooks with a straight-through gradient from a uniform start, which collapses to a
few codes. Here every level is k-means over what the levels before it leave (residual quantisation, arXiv:2107.03312):
the macro code is the coarse interest, the micro codes are what distinguishes a node within it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
import scipy.sparse as sp

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import NodeEmbeddings, Vectors
from model_store.quantizer import Codes, MacroQuantizer, MicroQuantizer
from model_store.types import NUM_CODES
from model_store.vocabulary import Vocabulary
from training.code_meanings import code_meanings
from training.config import ConfigError, TokenizerConfig
from training.data import Dataset, Pairs
from training.item_texts import ItemWords, mean_over_histories, text_vectors

Advance = Callable[[int], None]


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
    train: Pairs,
    config: TokenizerConfig,
    seed: int,
    *,
    on_level: Advance = lambda levels: None,
) -> TrainedTokenizer:
    """Tokens of all users and items, from the graph vectors and the items' texts. `on_level` counts 12 levels.

    ConfigError where a side has fewer nodes than `codebook_size`.
    """
    words = ItemWords.of_items(dataset.items)
    texts = text_vectors(words, dim=config.text_dim, length=config.text_weight, seed=seed)
    embeddings = replace(graph, item_texts=texts)
    histories = history_matrix(train, dataset.num_users, dataset.num_items)
    users, items = joint_users(embeddings, histories), np.concatenate([graph.items, texts], axis=1)
    user, item = (residual_kmeans(x, config, seed, on_level) for x in (users, items))
    user_codes, item_codes = user.encode(users), item.encode(items)
    nodes = {"user": (user_codes, histories), "item": (item_codes, sp.identity(dataset.num_items, format="csr"))}
    meanings = {
        side: code_meanings(codes, items_of, words, config.codebook_size) for side, (codes, items_of) in nodes.items()
    }
    return TrainedTokenizer(embeddings, user, item, user_codes, item_codes, Vocabulary(**meanings))


def history_matrix(train: Pairs, num_users: int, num_items: int) -> Any:
    """Training likes as 0 and 1, CSR (num_users, num_items)."""
    ones = np.ones(train.num_pairs, np.float32)
    return sp.csr_matrix((ones, (train.users, train.items)), shape=(num_users, num_items))


def joint_users(embeddings: NodeEmbeddings, histories: Any) -> Vectors:
    """Joint vectors of all users, (num_users, dim_joint): trained graph vector, and NodeEmbeddings.user_texts_of."""
    means = mean_over_histories(histories, embeddings.item_texts)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    texts = np.divide(means * embeddings.text_length, norms, out=np.zeros_like(means), where=norms > 0)
    return np.concatenate([embeddings.users, texts], axis=1, dtype=np.float32)


def residual_kmeans(x: Vectors, config: TokenizerConfig, seed: int, on_level: Advance) -> SideTokenizer:
    """Six levels of k-means, each over what is left by those before. Shapes: x (n, dim_joint)."""
    if len(x) < config.codebook_size:
        raise ConfigError(f"{len(x)} nodes cannot fill codebooks of {config.codebook_size}: lower codebook_size")
    codebooks, left = [], np.ascontiguousarray(x, np.float32)
    for level in range(NUM_CODES):
        kmeans = faiss.Kmeans(
            x.shape[1],
            config.codebook_size,
            niter=config.kmeans_iterations,
            seed=seed + level,
            min_points_per_centroid=1,  # silences a warning; small data has few nodes a code
            max_points_per_centroid=len(x),
        )
        kmeans.train(left)
        codebook = np.array(kmeans.centroids, np.float32)
        codebooks.append(codebook)
        left = left - codebook[kmeans.assign(left)[1]]
        on_level(1)
    return SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(np.stack(codebooks[1:])))


def codebook_report(codes: Codes, codebook_size: int) -> dict[str, Any]:
    """How well the codebooks are used: `usage` and `perplexity` by level, `unique` share of whole code tuples."""
    counts = [np.bincount(codes[:, level], minlength=codebook_size) for level in range(codes.shape[1])]
    shares = [count / count.sum() for count in counts]
    entropies = [-float((share[share > 0] * np.log(share[share > 0])).sum()) for share in shares]
    return {
        "usage": [float((count > 0).mean()) for count in counts],
        "perplexity": [float(np.exp(entropy)) for entropy in entropies],
        "unique": len(np.unique(codes, axis=0)) / len(codes),
    }
