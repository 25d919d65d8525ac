"""The words at which soft tokens start: what a node's codes say, in the frozen LLM's own vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from model_store.anchor_words import AnchorWords
from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.soft_tokens import WordKeys
from model_store.token_embeddings import TokenEmbeddings
from training.anchor_terms import WORD
from training.data import Pairs
from training.facts import FactTable, TasteConfig, Tastes

RIDGE = 1e-3
"""Of the regression, as a share of the mean square of a dimension."""
WORD_WEIGHT = 0.5
"""Of a word beside a fact: where a catalogue has facts, these say more in as much room (ADR 0013)."""
TASTE = TasteConfig()
"""What counts as a preference, as where targets are written."""
MAX_USERS = 50_000
"""Users from whom the keys to words are learned: bounds the memory that their counts need."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchor words, and how each side's codes point to them."""

    names: tuple[str, ...]
    words: AnchorWords
    user: WordKeys
    item: WordKeys


def anchor_words(
    terms: FactTable,
    likes: Pairs,
    sums: tuple[Vectors, Vectors],
    encoder: PromptEncoder,
    embeddings: TokenEmbeddings,
) -> Anchors:
    """Words by how well codes tell who has them: ridge regression from what a node's codes add up to.

    The vectors are those sums, not the nodes' own: the regression learns what survived the codes. An item has the
    TF-IDF of its terms, a user what they prefer, as where targets are written (`Tastes`), each node at length 1.

    Shapes: sums (num_users, dim_joint) and (num_items, dim_joint).
    """
    if not terms.facts:
        empty = [WordKeys(np.zeros((side.shape[1], 0), np.float32), np.zeros(0, np.float32)) for side in sums]
        return Anchors((), AnchorWords.of([], embeddings.hidden_size), *empty)
    step = max(1, -(-len(sums[0]) // MAX_USERS))
    known, asked = sums[0][::step], likes.users % step == 0
    tastes = Tastes(terms, Pairs(likes.users[asked] // step, likes.items[asked]), len(known), TASTE)
    weights = sp.diags([WORD_WEIGHT if term.kind == WORD else 1.0 for term in terms.facts])
    user = _keys(known, normalize(tastes.strengths() @ weights))
    item = _keys(sums[1], normalize(TfidfTransformer().fit_transform(terms.matrix) @ weights))
    names = tuple(term.value for term in terms.facts)
    # with the space before it a word is one token more often than without
    rows = [embeddings.rows(encoder.encode_text(f" {name}", trusted=False)) for name in names]
    return Anchors(names, AnchorWords.of(rows, embeddings.hidden_size), user, item)


def _keys(sums: Vectors, weights: Any) -> WordKeys:
    """Ridge regression from vectors to words. Shapes: sums (n, dim_joint), weights (n, num_words), sparse or dense."""
    mean = sums.mean(axis=0, dtype=np.float64)
    mean_weight: NDArray[np.float64] = np.asarray(weights.mean(axis=0)).ravel()
    x = sums - mean
    moments = x.T @ x
    moments[np.diag_indices_from(moments)] += RIDGE * max(np.trace(moments) / len(moments), 1e-12)
    keys = np.linalg.solve(moments, (weights.T @ x).T)  # the centred x takes the words' means out by itself
    return WordKeys(keys.astype(np.float32), (mean_weight - mean @ keys).astype(np.float32))
