"""What items say of themselves, as counted words and phrases and as vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfTransformer

from model_store.embeddings import Vectors, unit_rows
from training.data import ItemTable

RUNS = re.compile(r"[^\w\s'\-]+")
"""What ends a phrase: every sign but those that stand inside words."""
WORD = re.compile(r"(?!.*'(?:ll|ve|re|d|m|t)$)[^\W\d_](?:[^\W\d_]|['\-])+[^\W\d_]")
"""Three letters and more, with hyphens and apostrophes inside; no numbers, and no "he'll" or "don't"."""
LONGEST_PHRASE = 3
MAX_SHARE = 0.2
"""A word of more than this share of all items tells nothing about any ("fans", "enjoy")."""
MIN_ITEMS = 3
MIN_NPMI = 0.25
"""Words that stand side by side are a phrase if they do so far more often than by chance (0), up to always (1)."""
MAX_MINED = 50_000
"""Items in whose texts words and phrases are looked for: bounds the memory that candidates need."""


@dataclass(frozen=True, eq=False)
class ItemWords:
    """Words and phrases of every item. Shapes: words (num_words,); present (num_items, num_words) CSR of 0 and 1.

    A phrase has spaces in it ("slow cooked pork"): two or three words that often stand side by side, no stop word or
    punctuation between them. Its words count too.
    """

    words: tuple[str, ...]
    present: Any

    @classmethod
    def of_items(cls, items: ItemTable) -> ItemWords:
        """The words of texts and categories that are neither rare nor everywhere; none where no item has a text."""
        return cls.of_documents(item_documents(items))

    @classmethod
    def of_documents(cls, documents: Sequence[str]) -> ItemWords:
        """The same of any texts, one an item."""
        step = -(-len(documents) // MAX_MINED) or 1
        counter = CountVectorizer(analyzer=candidate_terms, min_df=MIN_ITEMS, binary=True)
        try:
            counter.fit(documents[::step])
        except ValueError:  # scikit-learn's word for "no words are left"
            return cls((), sp.csr_matrix((len(documents), 0)))
        found, terms = counter.transform(documents), counter.get_feature_names_out().tolist()
        kept = _telling(terms, np.asarray(found.sum(axis=0)).ravel() / len(documents))
        return cls(tuple(terms[column] for column in kept), found[:, kept].astype(np.float32))

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of words in each word or phrase, (num_words,)."""
        return np.array([len(term.split()) for term in self.words], np.int64)


def item_documents(items: ItemTable) -> list[str]:
    """Text and categories of every item."""
    return [". ".join([item.text, *item.categories]) for item in items]


def candidate_terms(text: str) -> list[str]:
    """All words of a text, and all that stand side by side in it, up to three of them, with nothing in between."""
    terms = []
    for run in RUNS.split(text.lower()):
        words = [word if WORD.fullmatch(word) and word not in ENGLISH_STOP_WORDS else None for word in run.split()]
        for first in range(len(words)):
            for last in range(first + 1, min(first + LONGEST_PHRASE, len(words)) + 1):
                if words[last - 1] is None:
                    break
                terms.append(" ".join(map(str, words[first:last])))
    return terms


def _telling(terms: Sequence[str], shares: NDArray[np.float64]) -> list[int]:
    """Columns of the terms that say something: words that are not everywhere, phrases that are no accident.

    A phrase of n words is weighed by NPMI over all of them, log(p / prod p_i) / -((n - 1) log p) (Bouma, 2009).
    """
    share_of = dict(zip(terms, shares.tolist(), strict=True))

    def told(term: str, share: float) -> bool:
        words = term.split()
        if share > MAX_SHARE or len(words) == 1:
            return share <= MAX_SHARE
        chance = float(np.prod([share_of[word] for word in words]))
        return float(np.log(share / chance) / (-(len(words) - 1) * np.log(share))) >= MIN_NPMI

    return [column for column, (term, share) in enumerate(share_of.items()) if told(term, share)]


def text_vectors(words: ItemWords, *, dim: int, length: float, seed: int) -> Vectors:
    """Latent semantic vectors of the items (truncated SVD of TF-IDF), each of this length; zeros without words.

    Centred before they are scaled, so that the mean over a history points to what it has more of than the catalogue.
    Shapes: -> (num_items, dim), fewer columns where there are fewer words, none for `dim` or `length` 0.
    """
    present = words.present[:, words.lengths == 1]  # a phrase's words are there already
    num_items, num_words = present.shape
    width = min(dim, num_words - 1, num_items - 1)
    if width < 1 or not length:
        return np.zeros((num_items, 0), np.float32)
    weighted = TfidfTransformer().fit_transform(present)
    vectors = TruncatedSVD(width, random_state=seed).fit_transform(weighted)
    spoken = np.diff(present.indptr) > 0
    vectors[spoken] -= vectors[spoken].mean(axis=0)
    vectors[~spoken] = 0  # the decomposition leaves them nearly there
    return unit_rows(vectors) * np.float32(length)


def mean_over_histories(histories: Any, values: Any) -> NDArray[np.float64]:
    """Mean of the items' rows over each history, dense.

    Shapes: histories (num_users, num_items), values (num_items, n) -> (num_users, n).
    """
    sizes = np.maximum(np.asarray(histories.sum(axis=1)).ravel(), 1)
    total = histories @ values
    dense = total.toarray() if sp.issparse(total) else np.asarray(total)
    return np.asarray(dense / sizes[:, None], np.float64)
