"""Items without a single training interaction: their vectors come from the items whose texts resemble theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from model_store.embeddings import NodeEmbeddings, Vectors, unit_rows
from training.data import ItemTable, Rows
from training.item_texts import ItemWords

NUM_NEIGHBOURS = 200
CHUNK_ROWS = 512
"""Items whose similarities to all others are held at a time."""


def text_neighbours(words: ItemWords, cold: Rows, known: Rows, *, num_neighbours: int = NUM_NEIGHBOURS) -> Any:
    """How much each known item counts for each cold one: cosines of TF-IDF words, each row's best, adding up to 1.

    Shapes: -> CSR (len(cold), len(known)); a row is empty where an item shares no word with any known one.
    """
    if not words.words:
        return sp.csr_matrix((len(cold), len(known)))
    weighted = TfidfTransformer().fit_transform(words.present)
    others = weighted[known].T.tocsc()
    chunks = [cold[begin : begin + CHUNK_ROWS] for begin in range(0, len(cold), CHUNK_ROWS)]
    best = [_best(weighted[chunk] @ others, num_neighbours) for chunk in chunks]
    weights = sp.csr_matrix(sp.vstack(best)) if best else sp.csr_matrix((0, len(known)))
    totals = np.asarray(weights.sum(axis=1)).ravel()
    return sp.csr_matrix(sp.diags(1 / np.where(totals > 0, totals, 1)) @ weights)


def borrowed_vectors(neighbours: Any, vectors: Vectors) -> Vectors:
    """The direction in which the neighbours' vectors point, as long as those are; zeros for an item without any.

    Shapes: neighbours (n, num_known) of `text_neighbours`, vectors (num_known, dim) -> (n, dim).
    """
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
    pointing = neighbours @ units
    norms = np.maximum(np.linalg.norm(pointing, axis=1), np.finfo(np.float32).tiny)
    return np.asarray(pointing * ((neighbours @ lengths) / norms)[:, None], np.float32)


def with_borrowed_items(embeddings: NodeEmbeddings, items: ItemTable) -> NodeEmbeddings:
    """The same embeddings; items without a training interaction point where the items with like texts do.

    They are as long as the items with the fewest training users, so that nobody is recommended an item for its being
    unknown. An item that shares no word with any other keeps its zero vector: it is found by its title only.
    """
    degree = embeddings.item_degree
    cold, known = np.flatnonzero(degree == 0), np.flatnonzero(degree)
    if not len(cold) or not len(known):
        return embeddings
    vectors = embeddings.items.copy()
    rare = embeddings.items[degree == degree[known].min()]
    pointing = borrowed_vectors(text_neighbours(ItemWords.of_items(items), cold, known), embeddings.items[known])
    vectors[cold] = unit_rows(pointing) * np.linalg.norm(rare, axis=1).mean()
    return replace(embeddings, items=vectors)


def _best(similarities: Any, count: int) -> Any:
    """The `count` largest entries of each row of a CSR matrix; the others are dropped."""
    similarities = sp.csr_matrix(similarities)
    rows = np.repeat(np.arange(similarities.shape[0]), np.diff(similarities.indptr))
    falling = np.lexsort((similarities.indices, -similarities.data, rows))
    rank = np.arange(len(rows)) - similarities.indptr[rows]
    kept = falling[rank < count]
    return sp.csr_matrix((similarities.data[kept], (rows[kept], similarities.indices[kept])), shape=similarities.shape)
