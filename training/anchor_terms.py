"""What may be an anchor word: single words of the items' texts, and facts as texts say them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from training.data import ItemTable
from training.facts import YEAR, FactTable
from training.item_texts import MIN_ITEMS, ItemWords
from training.phrasing import said_of

MAX_TERMS = 4096
"""Those of the most items."""


@dataclass(frozen=True, eq=False)
class AnchorTerms:
    """Terms and the items that have them. Shapes: words (num_terms,); present (num_items, num_terms) CSR of 0 and 1."""

    words: tuple[str, ...]
    present: Any

    @classmethod
    def of_items(cls, items: ItemTable) -> AnchorTerms:
        """The catalogue's. A fact that is said like a word of the texts is one term with it. A year is none."""
        said, facts = ItemWords.of_items(items), FactTable.of_items(items)
        single = np.flatnonzero(said.lengths == 1)
        sayable = np.flatnonzero([fact.kind != YEAR for fact in facts.facts])
        names = [said.words[column] for column in single] + [said_of(facts.facts[column])[-1] for column in sayable]
        terms, column_of = np.unique(np.array(names, object).astype(str), return_inverse=True)
        merge = sp.csr_matrix((np.ones(len(names)), (np.arange(len(names)), column_of)), shape=(len(names), len(terms)))
        present = sp.hstack([said.present[:, single], facts.matrix[:, sayable]], "csr") @ merge
        present.data[:] = 1
        counts = np.asarray(present.sum(axis=0)).ravel()
        commonest = np.argsort(-counts, kind="stable")[:MAX_TERMS]
        kept = np.sort(commonest[counts[commonest] >= MIN_ITEMS])
        return cls(tuple(terms[kept].tolist()), present[:, kept].astype(np.float32))

    @classmethod
    def none(cls, num_items: int) -> AnchorTerms:
        """No terms at all."""
        return cls((), sp.csr_matrix((num_items, 0), dtype=np.float32))
