"""The token map: what is alike lies together, and the largest codes have names."""

from dataclasses import replace

import numpy as np

from model_store.embeddings import NodeEmbeddings
from model_store.vocabulary import CodeMeaning, Vocabulary
from training.token_map import NUM_NAMED, token_map

NUM_ITEMS, NUM_CODES = 200, 12


def toy() -> tuple[NodeEmbeddings, np.ndarray, Vocabulary]:
    """Items around twelve far points, each point a macro code; the first codes are the largest."""
    rng = np.random.default_rng(0)
    codes = np.sort(rng.choice(NUM_CODES, NUM_ITEMS, p=np.arange(NUM_CODES, 0, -1) / 78)).astype(np.uint16)
    centres = np.eye(NUM_CODES, dtype=np.float32) * 5
    items = centres[codes] + rng.normal(0, 0.1, (NUM_ITEMS, NUM_CODES)).astype(np.float32)
    embeddings = NodeEmbeddings(
        items[:3],
        items,
        np.zeros((NUM_ITEMS, 0), np.float32),
        np.ones(NUM_ITEMS, np.int64),
        np.eye(NUM_CODES, dtype=np.float32),
    )
    words = tuple(CodeMeaning((f"word{code}",)) for code in range(NUM_CODES))
    vocabulary = replace(Vocabulary.empty(NUM_CODES), item=(words, *Vocabulary.empty(NUM_CODES).item[1:]))
    return embeddings, np.repeat(codes[:, None], 6, axis=1), vocabulary


def test_items_of_a_code_lie_together():
    """Items of a named code are nearer to their own middle than to any other's; the same seed gives the same map."""
    embeddings, codes, vocabulary = toy()
    told = token_map(embeddings, codes, vocabulary, seed=0)
    points = np.array(told["points"])
    own = points[:, 2].astype(int)
    middles = np.array([points[own == at, :2].mean(axis=0) for at in range(NUM_NAMED)])
    named = own >= 0
    nearest = np.linalg.norm(points[named, None, :2] - middles[None], axis=-1).argmin(axis=1)
    assert (nearest == own[named]).mean() > 0.95
    assert token_map(embeddings, codes, vocabulary, seed=0) == told


def test_the_largest_codes_are_named():
    """With their words and how many items have them, most first; the rest is there without a name."""
    embeddings, codes, vocabulary = toy()
    told = token_map(embeddings, codes, vocabulary, seed=0)
    counts = [code["items"] for code in told["codes"]]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == NUM_NAMED
    assert all(code["label"] == f"word{code['code']}" for code in told["codes"])
    assert len(told["points"]) == NUM_ITEMS
    assert sum(counts) + sum(point[2] == -1 for point in told["points"]) == NUM_ITEMS
