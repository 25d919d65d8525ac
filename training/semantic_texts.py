"""What the paper's tokenizer is taught of texts: a vector of every training explanation, intent phrases of every node.

Both lie in one space: latent semantic vectors (truncated SVD of TF-IDF) of the items' texts and the training
explanations. They cost seconds, no download and no LLM before the tokenizer, and a phrase is a direction there as well
as a sentence is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from torch import Tensor

from model_store.embeddings import Vectors, unit_rows
from training.code_meanings import NUM_RANKED, NUM_WORDS, readable
from training.data import Dataset, Rows
from training.item_texts import ItemWords, item_documents

NUM_SLOTS = NUM_WORDS
"""Phrases of a node, at most."""


class Phrases(NamedTuple):
    """Of some nodes: vectors (n, NUM_SLOTS, dim) of length 1; present (n, NUM_SLOTS), which slots hold a phrase."""

    vectors: Tensor
    present: Tensor


@dataclass(frozen=True, eq=False)
class NodePhrases:
    """Of all nodes of a side. Shapes: terms (num_nodes, NUM_SLOTS), rows of vectors (num_terms + 1, dim).

    -1 stands for no phrase: the last row of vectors, which is zero.
    """

    terms: Tensor
    vectors: Tensor

    def of(self, nodes: Tensor) -> Phrases:
        """Those of the nodes at these rows, (n,)."""
        terms = self.terms[nodes]
        return Phrases(self.vectors[terms], terms >= 0)


@dataclass(frozen=True, eq=False)
class SemanticTexts:
    """Sentence j explains item items[j] to user users[j]. Shapes: users, items (n,); sentences (n, dim) of length 1."""

    users: Tensor
    items: Tensor
    sentences: Tensor
    user_phrases: NodePhrases
    item_phrases: NodePhrases


def semantic_texts(dataset: Dataset, positions: Rows, histories: Any, *, dim: int, seed: int) -> SemanticTexts:
    """Of the items' texts and the explanations at `positions`, the training ones.

    A user's phrases are those of the history's items. Explanations without a telling word are left out.
    Shapes: histories (num_users, num_items) CSR of training likes.
    """
    assert dataset.explanations is not None, "prepare makes them where the data has none"
    explanations = dataset.explanations.take(positions)
    words = ItemWords.of_documents([*item_documents(dataset.items), *explanations.texts])
    weighted = sp.csr_matrix(TfidfTransformer().fit_transform(words.present)) if words.words else words.present
    terms = term_vectors(weighted, dim, seed)
    said_of_items, said = weighted[: dataset.num_items], weighted[dataset.num_items :]
    spoken = np.flatnonzero(np.diff(said.indptr))
    sentences = said[spoken] @ terms
    if len(spoken):
        sentences = unit_rows(sentences - sentences.mean(axis=0))  # apart by what not all of them say
    users, items = (torch.from_numpy(rows[spoken].astype(np.int64)) for rows in explanations.pairs)
    phrases = torch.from_numpy(np.pad(unit_rows(terms), ((0, 1), (0, 0))))
    return SemanticTexts(
        users,
        items,
        torch.from_numpy(np.asarray(sentences, np.float32)),
        NodePhrases(torch.from_numpy(node_phrases(histories @ said_of_items, words)), phrases),
        NodePhrases(torch.from_numpy(node_phrases(said_of_items, words)), phrases),
    )


def term_vectors(weighted: Any, dim: int, seed: int) -> Vectors:
    """Where each term leads a text that has it: texts @ these are the texts' latent semantic vectors.

    Shapes: weighted (num_texts, num_terms) CSR -> (num_terms, dim), zeros in what so few texts or terms cannot fill.
    """
    num_texts, num_terms = weighted.shape
    vectors, width = np.zeros((num_terms, dim), np.float32), min(dim, num_terms - 1, num_texts - 1)
    if width > 0:
        vectors[:, :width] = TruncatedSVD(width, random_state=seed).fit(weighted).components_.T
    return vectors


def node_phrases(weights: Any, words: ItemWords) -> NDArray[np.int64]:
    """The terms that tell most of each node, best first, none of which repeats another; -1 in slots left over.

    A phrase counts for as many words as it has. Shapes: weights (num_nodes, num_terms) CSR -> (num_nodes, NUM_SLOTS).
    """
    found = np.full((weights.shape[0], NUM_SLOTS), -1, np.int64)
    for node, (first, last) in enumerate(zip(weights.indptr, weights.indptr[1:], strict=False)):
        terms = weights.indices[first:last]
        scores = weights.data[first:last] * words.lengths[terms]
        ranked = terms[np.lexsort((terms, -scores))[:NUM_RANKED]]
        chosen = readable(ranked.tolist(), words.words)
        found[node, : len(chosen)] = chosen
    return found
