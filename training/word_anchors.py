"""Where codes begin in the LLM's own word space: at the mean input embedding of the words that name them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from model_store.vocabulary import Levels

MOST_TYPICAL = 2000
"""Texts among which one of the wanted length is looked for."""


def word_anchors(
    levels: Levels, encoder: PromptEncoder, embeddings: TokenEmbeddings, *, num_words: int, length: float
) -> Vectors:
    """Anchors of a side's codes, (6, K, hidden), all of one length: that of the LLM's own input embeddings.

    A mean of words is shorter than a word; tokens much shorter than their surroundings are not heard. Codes without
    words start at zero.
    """
    anchors = [
        [length * _direction(meaning.words[:num_words], encoder, embeddings) for meaning in level] for level in levels
    ]
    return np.array(anchors, np.float32)


def style_start(texts: Sequence[str], num_style: int, encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    """First style vectors, (num_style, hidden): the embeddings of the most typical of the texts that are so long.

    Typical is what uses the words that most of them use. A text of another length is cut or repeated to fit.
    """
    counted = CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(texts)
    typical = np.argsort(-(counted @ np.asarray(counted.mean(axis=0)).ravel()), kind="stable")
    candidates = [encoder.encode_text(texts[row], trusted=False) for row in typical[:MOST_TYPICAL]]
    ids = next((ids for ids in candidates if len(ids) == num_style), candidates[0])
    return embeddings.rows([ids[position % len(ids)] for position in range(num_style)])


def _direction(words: tuple[str, ...], encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    if not words:
        return np.zeros(embeddings.hidden_size, np.float32)
    # with the space before it a word is one token more often than without
    means = [embeddings.rows(encoder.encode_text(f" {word}", trusted=False)).mean(axis=0) for word in words]
    mean: Vectors = np.mean(means, axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))
