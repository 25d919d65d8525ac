"""The words at which soft tokens start: what a node's codes say, in the frozen LLM's own vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfTransformer

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.soft_tokens import WordKeys
from model_store.token_embeddings import TokenEmbeddings
from training.item_texts import ItemWords, mean_over_histories

MAX_WORDS = 4096
"""Words that may be an anchor: those of the most items."""
RIDGE = 1e-3
"""Of the regression, as a share of the mean square of a dimension."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchor words, and how each side's codes point to them. Shapes: words (num_words, hidden_size)."""

    words: Vectors
    user: WordKeys
    item: WordKeys


def anchor_words(
    said: ItemWords,
    histories: Any,
    sums: tuple[Vectors, Vectors],
    encoder: PromptEncoder,
    embeddings: TokenEmbeddings,
    *,
    length: float,
    least: int,
) -> Anchors:
    """Words by how well codes tell who has them: ridge regression from what a node's codes add up to.

    The vectors are those sums, not the nodes' own: the regression learns what survived the codes. An item has the
    TF-IDF of its text. A user has the mean of their history's less the mean of all likes: what everybody reads tells
    nothing of anyone. No words where items have no texts, or `least` are not to be had.

    Shapes: histories (num_users, num_items); sums (num_users, dim_joint) and (num_items, dim_joint). The embeddings
    have this length, because tokens much shorter than their surroundings are not heard.
    """
    counts = np.asarray(said.present.sum(axis=0)).ravel()
    single = np.flatnonzero(said.lengths == 1)
    kept = np.sort(single[np.argsort(-counts[single], kind="stable")[:MAX_WORDS]])
    if len(kept) < max(least, 1):
        empty = [WordKeys(np.zeros((side.shape[1], 0), np.float32), np.zeros(0, np.float32)) for side in sums]
        return Anchors(np.zeros((0, embeddings.hidden_size), np.float32), *empty)
    weighted = TfidfTransformer().fit_transform(said.present[:, kept])
    liked = np.asarray(histories.sum(axis=0)).ravel()
    usual = weighted.T @ liked / max(liked.sum(), 1)
    tastes = mean_over_histories(histories, weighted) - usual
    words = np.stack([length * direction(said.words[column], encoder, embeddings) for column in kept])
    return Anchors(words, _keys(sums[0], tastes), _keys(sums[1], weighted))


def direction(word: str, encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    """The mean input embedding of a word's tokens, at length 1, (hidden,)."""
    # with the space before it a word is one token more often than without
    mean = embeddings.rows(encoder.encode_text(f" {word}", trusted=False)).mean(axis=0)
    unit: Vectors = mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))
    return unit


def _keys(sums: Vectors, weights: Any) -> WordKeys:
    """Ridge regression from vectors to words. Shapes: sums (n, dim_joint), weights (n, num_words), sparse or dense."""
    mean = sums.mean(axis=0, dtype=np.float64)
    mean_weight: NDArray[np.float64] = np.asarray(weights.mean(axis=0)).ravel()
    x = sums - mean
    moments = x.T @ x
    moments[np.diag_indices_from(moments)] += RIDGE * max(np.trace(moments) / len(moments), 1e-12)
    keys = np.linalg.solve(moments, (weights.T @ x).T)  # the centred x takes the words' means out by itself
    return WordKeys(keys.astype(np.float32), (mean_weight - mean @ keys).astype(np.float32))
