"""The words at which soft tokens start: what a node's codes say, in the frozen LLM's own vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.soft_tokens import WordKeys
from model_store.token_embeddings import TokenEmbeddings
from training.anchor_terms import AnchorTerms
from training.facts import TasteConfig

RIDGE = 1e-3
"""Of the regression, as a share of the mean square of a dimension."""
TASTE = TasteConfig()
"""What counts as a preference, as where targets are written."""
MAX_USERS = 50_000
"""Users from whom the keys to words are learned: bounds the memory that their counts need."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchor words, and how each side's codes point to them. Shapes: words (num_words, hidden_size)."""

    words: Vectors
    user: WordKeys
    item: WordKeys


def anchor_words(
    terms: AnchorTerms,
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
    TF-IDF of its terms, a user those that they like more than others (`preferred`). No words where there are not
    `least` terms.

    Shapes: histories (num_users, num_items); sums (num_users, dim_joint) and (num_items, dim_joint). The embeddings
    have this length, because tokens much shorter than their surroundings are not heard.
    """
    if len(terms.words) < max(least, 1):
        empty = [WordKeys(np.zeros((side.shape[1], 0), np.float32), np.zeros(0, np.float32)) for side in sums]
        return Anchors(np.zeros((0, embeddings.hidden_size), np.float32), *empty)
    users = slice(None, None, -(-histories.shape[0] // MAX_USERS) or 1)
    user = _keys(sums[0][users], preferred(histories[users], terms.present))
    item = _keys(sums[1], TfidfTransformer().fit_transform(terms.present))
    return Anchors(np.stack([length * direction(word, encoder, embeddings) for word in terms.words]), user, item)


def preferred(histories: Any, present: Any) -> Any:
    """What users like more than others: count * log(lift) of every term, each user at length 1.

    Lift is how many times as often it comes in their history as in all histories. Shapes: histories (num_users,
    num_items), present (num_items, num_terms) -> (num_users, num_terms) CSR.
    """
    counts = (histories @ present).tocoo()
    sizes = np.asarray(histories.sum(axis=1)).ravel()
    rates = np.asarray(counts.sum(axis=0)).ravel() / max(sizes.sum(), 1)
    lift = counts.data / (sizes[counts.row] * rates[counts.col])
    kept = (counts.data >= TASTE.min_count) & (lift >= TASTE.min_lift)
    strengths = counts.data[kept] * np.log(lift[kept])
    found = sp.csr_matrix((strengths, (counts.row[kept], counts.col[kept])), shape=counts.shape)
    return normalize(found)


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
