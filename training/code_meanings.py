"""What each code means: the words, phrases and items that its members have more often than everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from model_store.quantizer import Codes
from model_store.vocabulary import CodeMeaning, Levels
from training.item_texts import ItemWords

NUM_WORDS = 6
NUM_ITEMS = 3
NUM_RANKED = 24
"""Best words and phrases of a code that are looked at: those that repeat one another are dropped."""


def code_meanings(codes: Codes, items_of: Any, words: ItemWords, codebook_size: int) -> Levels:
    """Meaning of every code of every level, by class-based TF-IDF over the items of its members.

    Shapes: codes (n, 6); items_of CSR (n, num_items), the items of each node: a history, or the item itself.
    """
    sizes = np.maximum(np.asarray(items_of.sum(axis=1)).ravel(), 1)
    shares = sp.diags(1 / sizes) @ items_of  # each node counts once, however long its history
    return tuple(_level(codes[:, level], shares, words, codebook_size) for level in range(codes.shape[1]))


def _level(codes: NDArray[np.uint16], shares: Any, words: ItemWords, codebook_size: int) -> tuple[CodeMeaning, ...]:
    ones = np.ones(len(codes))
    members = sp.csr_matrix((ones, (codes, np.arange(len(codes)))), shape=(codebook_size, len(codes)))
    items = members @ shares  # (codebook_size, num_items)
    best_words = _best(items @ words.present, weights=words.lengths)
    best_items = _best(items)
    return tuple(
        CodeMeaning(
            tuple(words.words[column] for column in readable(ranked, words.words)), tuple(code_items[:NUM_ITEMS])
        )
        for ranked, code_items in zip(best_words, best_items, strict=True)
    )


def readable(ranked: Sequence[int], words: Sequence[str]) -> list[int]:
    """The first few of these columns, best first, none of which says only what a better one says with more words.

    "thai food" leaves no room for "food"; a phrase that comes after one of its words takes that word's place.
    """
    chosen: list[int] = []
    for column in ranked:
        own = set(words[column].split())
        if any(own <= set(words[other].split()) for other in chosen):
            continue
        parts = [place for place, other in enumerate(chosen) if set(words[other].split()) < own]
        if parts:
            chosen[parts[0]] = column
            chosen = [other for place, other in enumerate(chosen) if place not in parts[1:]]
        elif len(chosen) < NUM_WORDS:
            chosen.append(column)
    return chosen


def _best(counts: Any, weights: NDArray[np.int64] | None = None) -> list[list[int]]:
    """Columns that stand out in each row: share in the row times log of (that share over the share everywhere).

    `weights` (columns,) multiply the scores: a phrase of two words is rarer than either and says more.
    """
    counts = sp.csr_matrix(counts)
    everywhere = np.asarray(counts.sum(axis=0)).ravel()
    everywhere = everywhere / max(everywhere.sum(), 1e-12)
    weights = np.ones(counts.shape[1], np.int64) if weights is None else weights
    return [_best_of_row(counts.getrow(row), everywhere, weights) for row in range(counts.shape[0])]


def _best_of_row(row: Any, everywhere: NDArray[np.float64], weights: NDArray[np.int64]) -> list[int]:
    if not row.nnz:
        return []
    share = row.data / row.data.sum()
    scores = share * np.log(share / everywhere[row.indices]) * weights[row.indices]
    order = np.lexsort((row.indices, -scores))[:NUM_RANKED]
    return [int(row.indices[position]) for position in order if scores[position] > 0]
