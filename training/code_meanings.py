"""What each code means: the words and the items that its members have more often than everybody."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from model_store.quantizer import Codes
from model_store.vocabulary import CodeMeaning, Levels
from training.item_texts import ItemWords

NUM_WORDS = 6
NUM_ITEMS = 3


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
    best_words = _best(items @ words.present, NUM_WORDS)
    best_items = _best(items, NUM_ITEMS)
    return tuple(
        CodeMeaning(tuple(words.words[column] for column in code_words), tuple(code_items))
        for code_words, code_items in zip(best_words, best_items, strict=True)
    )


def _best(counts: Any, how_many: int) -> list[list[int]]:
    """Columns that stand out in each row: share in the row times log of (that share over the share everywhere)."""
    counts = sp.csr_matrix(counts)
    everywhere = np.asarray(counts.sum(axis=0)).ravel()
    everywhere = everywhere / max(everywhere.sum(), 1e-12)
    return [_best_of_row(counts.getrow(row), everywhere, how_many) for row in range(counts.shape[0])]


def _best_of_row(row: Any, everywhere: NDArray[np.float64], how_many: int) -> list[int]:
    if not row.nnz:
        return []
    share = row.data / row.data.sum()
    scores = share * np.log(share / everywhere[row.indices])
    order = np.lexsort((row.indices, -scores))[:how_many]
    return [int(row.indices[position]) for position in order if scores[position] > 0]
