"""What items say of themselves, as counted words and as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from model_store.embeddings import Vectors
from training.data import ItemTable

WORD_PATTERN = r"(?u)\b[^\W\d_][^\W\d_'\-]+[^\W\d_]\b"
"""Three letters and more; no numbers."""
MAX_SHARE = 0.2
"""A word of more than this share of all items tells nothing about any ("fans", "enjoy")."""
MIN_ITEMS = 3


@dataclass(frozen=True, eq=False)
class ItemWords:
    """Words of every item. Shapes: words (num_words,); present (num_items, num_words) CSR of 0 and 1."""

    words: tuple[str, ...]
    present: Any

    @classmethod
    def of_items(cls, items: ItemTable) -> ItemWords:
        """The words of texts and categories that are neither rare nor everywhere; none where no item has a text."""
        documents = [" ".join([item.text, *item.categories]).lower() for item in items]
        counter = CountVectorizer(
            stop_words="english", token_pattern=WORD_PATTERN, min_df=MIN_ITEMS, max_df=MAX_SHARE, binary=True
        )
        try:
            present = counter.fit_transform(documents)
        except ValueError:  # scikit-learn's word for "no words are left"
            return cls((), sp.csr_matrix((len(documents), 0)))
        return cls(tuple(counter.get_feature_names_out().tolist()), present.astype(np.float32))


def text_vectors(words: ItemWords, *, dim: int, length: float, seed: int) -> Vectors:
    """Latent semantic vectors of the items (truncated SVD of TF-IDF), each of this length; zeros without words.

    Centred before they are scaled, so that the mean over a history points to what it has more of than the catalogue.
    Shapes: -> (num_items, dim), fewer columns where there are fewer words, none for `dim` or `length` 0.
    """
    num_items, num_words = words.present.shape
    width = min(dim, num_words - 1, num_items - 1)
    if width < 1 or not length:
        return np.zeros((num_items, 0), np.float32)
    weighted = TfidfTransformer().fit_transform(words.present)
    vectors = TruncatedSVD(width, random_state=seed).fit_transform(weighted)
    spoken = np.diff(words.present.indptr) > 0
    vectors[spoken] -= vectors[spoken].mean(axis=0)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=(norms > 0) & spoken[:, None])
    return np.ascontiguousarray(unit * length, np.float32)


def mean_over_histories(histories: Any, values: Any) -> NDArray[np.float64]:
    """Mean of the items' rows over each history, dense.

    Shapes: histories (num_users, num_items), values (num_items, n) -> (num_users, n).
    """
    sizes = np.maximum(np.asarray(histories.sum(axis=1)).ravel(), 1)
    total = histories @ values
    dense = total.toarray() if sp.issparse(total) else np.asarray(total)
    return np.asarray(dense / sizes[:, None], np.float64)
