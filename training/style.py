"""Where the style begins: the soft tokens before every pair's own, which teach the frozen LLM the texts' manner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from model_store.embeddings import Vectors
from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings

MOST_TYPICAL = 2000
"""Texts among which one of the wanted length is looked for."""


def style_start(texts: Sequence[str], num_style: int, encoder: PromptEncoder, embeddings: TokenEmbeddings) -> Vectors:
    """First style vectors, (num_style, hidden): the embeddings of the most typical of the texts that are so long.

    Typical is what uses the words that most of them use. A text of another length is cut or repeated to fit.
    """
    counted = CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(texts)
    typical = np.argsort(-(counted @ np.asarray(counted.mean(axis=0)).ravel()), kind="stable")
    candidates = [encoder.encode_text(texts[row], trusted=False) for row in typical[:MOST_TYPICAL]]
    ids = next((ids for ids in candidates if len(ids) == num_style), candidates[0])
    return embeddings.rows([ids[position % len(ids)] for position in range(num_style)])
