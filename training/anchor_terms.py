"""What may be an anchor word: facts as texts say them, and single words of the items' texts."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.sparse as sp

from training.data import ItemTable
from training.facts import YEAR, Fact, FactTable
from training.item_texts import MIN_ITEMS, ItemWords
from training.phrasing import said_of

MAX_TERMS = 4096
"""Those of the most items."""
WORD: Final = "word"
"""The kind of a term that is a word of texts and no fact."""


def anchor_terms(items: ItemTable) -> FactTable:
    """The catalogue's terms, as facts whose value is what texts say: a fact keeps its kind, a word is of the kind WORD.

    Facts that are said alike are one term; a word with which some fact can be said, or that is a part of how it is
    said, is none: texts use it for what is no such fact, or the fact says more. A year is none either.
    """
    said, table = ItemWords.of_items(items), FactTable.of_items(items)
    facts = [column for column, fact in enumerate(table.facts) if fact.kind != YEAR]
    ways = {way.lower() for column in facts for way in said_of(table.facts[column])}
    parts = {part for way in ways for part in (way, *way.split())}
    words = [column for column in np.flatnonzero(said.lengths == 1) if said.words[column].lower() not in parts]
    terms = [Fact(table.facts[column].kind, said_of(table.facts[column])[-1]) for column in facts]
    terms += [Fact(WORD, said.words[column]) for column in words]
    values, firsts, column_of = np.unique(
        np.array([term.value for term in terms], object).astype(str), return_index=True, return_inverse=True
    )
    merge = sp.csr_matrix((np.ones(len(terms)), (np.arange(len(terms)), column_of)), shape=(len(terms), len(values)))
    present = sp.hstack([table.matrix[:, facts], said.present[:, words]], "csr") @ merge
    present.data[:] = 1
    counts = np.asarray(present.sum(axis=0)).ravel()
    commonest = np.argsort(-counts, kind="stable")[:MAX_TERMS]
    kept = np.sort(commonest[counts[commonest] >= MIN_ITEMS])
    return FactTable.saying(tuple(terms[firsts[column]] for column in kept), present[:, kept].astype(np.float32))


def no_terms(num_items: int) -> FactTable:
    """No terms at all."""
    return FactTable.saying((), sp.csr_matrix((num_items, 0), dtype=np.float32))
