"""The words at which soft tokens start: what a node's codes say, in the frozen LLM's own vocabulary."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.soft_tokens import AnchorWords
from model_store.token_embeddings import TokenEmbeddings
from training.item_texts import ItemWords

MAX_WORDS = 4096
"""Words that may be an anchor: those of the most items."""
RIDGE = 1e-3
"""Of the regression, as a share of the mean square of a text dimension."""


def anchor_words(
    words: ItemWords, texts: Vectors, encoder: PromptEncoder, embeddings: TokenEmbeddings, *, length: float, least: int
) -> AnchorWords:
    """Words by how well text vectors tell who has them: ridge regression from the vectors to the words' TF-IDF.

    The vectors are those that items' codes add up to, not the items' own: the regression learns what survived the
    codes. No words where items have no texts, or `least` are not to be had. Shapes: texts (num_items, dim_text);
    the embeddings have this length, because tokens much shorter than their surroundings are not heard.
    """
    counts = np.asarray(words.present.sum(axis=0)).ravel()
    single = np.flatnonzero(words.lengths == 1)
    kept = np.sort(single[np.argsort(-counts[single], kind="stable")[:MAX_WORDS]])
    if len(kept) < least or not texts.shape[1]:
        hidden = embeddings.hidden_size
        empty = np.zeros((texts.shape[1], 0), np.float32), np.zeros(0, np.float32), np.zeros((0, hidden), np.float32)
        return AnchorWords(*empty)
    weighted = TfidfTransformer().fit_transform(words.present[:, kept])
    mean, mean_weight = texts.mean(axis=0, dtype=np.float64), np.asarray(weighted.mean(axis=0)).ravel()
    x = texts - mean
    moments = x.T @ x
    moments[np.diag_indices_from(moments)] += RIDGE * max(np.trace(moments) / len(moments), 1e-12)
    keys = np.linalg.solve(moments, (weighted.T @ x).T)  # the centred x takes the words' means out by itself
    found = np.stack([length * direction(words.words[column], encoder, embeddings) for column in kept])
    return AnchorWords(keys.astype(np.float32), (mean_weight - mean @ keys).astype(np.float32), found)


def direction(word: str, encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    """The mean input embedding of a word's tokens, at length 1, (hidden,)."""
    # with the space before it a word is one token more often than without
    mean = embeddings.rows(encoder.encode_text(f" {word}", trusted=False)).mean(axis=0)
    unit: Vectors = mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))
    return unit
