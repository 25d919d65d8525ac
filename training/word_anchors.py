"""Where codes begin in the LLM's own word space: at the mean input embedding of the words that name them."""

from __future__ import annotations

import numpy as np

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from model_store.vocabulary import Levels

STYLE_WORDS = "Explain in a friendly way, with true reasons, why this person would enjoy it."


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


def style_start(num_style: int, encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    """First style vectors, (num_style, hidden): the embeddings of a plain instruction, repeated to length."""
    ids = encoder.encode_text(STYLE_WORDS, trusted=False)
    return embeddings.rows([ids[position % len(ids)] for position in range(num_style)])


def _direction(words: tuple[str, ...], encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    if not words:
        return np.zeros(embeddings.hidden_size, np.float32)
    # with the space before it a word is one token more often than without
    means = [embeddings.rows(encoder.encode_text(f" {word}", trusted=False)).mean(axis=0) for word in words]
    mean: Vectors = np.mean(means, axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))
