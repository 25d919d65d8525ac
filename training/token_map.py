"""The token map: items in two dimensions, near where their vectors are near, coloured by macro code in a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_store.embeddings import NodeEmbeddings
from model_store.quantizer import Codes
from model_store.vocabulary import Vocabulary

NUM_NAMED = 8
"""Macro codes that are shown by name: the largest."""
NUM_POINTS = 900
NUM_COMPONENTS = 30
"""Principal components that t-SNE looks at: it is slow in hundreds of dimensions, and no better there."""
MIN_POINTS = 10


def token_map(embeddings: NodeEmbeddings, item_codes: Codes, vocabulary: Vocabulary, seed: int) -> dict[str, Any]:
    """`codes` (code, label, items of the largest) and `points`: x, y, and which of them it has (-1: another).

    All items of the codes that are named, and a sample of the rest; t-SNE (van der Maaten and Hinton, 2008).
    """
    macro = item_codes[:, 0].astype(np.int64)
    largest = np.argsort(-np.bincount(macro), kind="stable")[:NUM_NAMED]
    named = np.isin(macro, largest)
    rng = np.random.default_rng(seed)
    rows = np.concatenate([_some(np.flatnonzero(each), NUM_POINTS // 2, rng) for each in (named, ~named)])
    joint = np.concatenate([embeddings.items[rows], embeddings.item_texts[rows]], axis=1)
    place = {int(code): at for at, code in enumerate(largest)}
    return {
        "codes": [
            {
                "code": int(code),
                "label": vocabulary.label("item", 0, int(code)),
                "items": int((macro == code).sum()),
            }
            for code in largest
        ],
        "points": [
            [round(float(x), 2), round(float(y), 2), place.get(int(macro[row]), -1)]
            for row, (x, y) in zip(rows, _in_two_dimensions(joint, seed), strict=True)
        ],
    }


def _some(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= count else rng.choice(rows, count, replace=False)


def _in_two_dimensions(x: np.ndarray, seed: int) -> np.ndarray:
    """Shapes: x (n, dim) -> (n, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    components = min(NUM_COMPONENTS, *x.shape)
    reduced = PCA(components, random_state=seed).fit_transform(x)
    if len(x) < MIN_POINTS or components < 2:
        return np.pad(reduced, ((0, 0), (0, 2)))[:, :2]
    placed: np.ndarray = TSNE(2, init="pca", perplexity=min(30, len(x) // 4), random_state=seed).fit_transform(reduced)
    return placed
