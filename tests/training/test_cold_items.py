"""Items without interactions: their vectors come from items with like texts."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from model_store.embeddings import NodeEmbeddings
from tests.training.toy_data import dataset_of, table
from training.cold_items import borrowed_vectors, text_neighbours, with_borrowed_items
from training.item_texts import ItemWords

WORDS = (("robots", "rockets", "aliens"), ("wedding", "roses", "letters"))
"""Of each kind: a third of its items has each, few enough that none counts as being everywhere."""
NUM_ITEMS = 40
KIND = np.arange(NUM_ITEMS) % 2
ITEMS = dataset_of(
    [(0, item) for item in range(NUM_ITEMS)],
    items=table(
        "items.parquet",
        item_id=list(range(NUM_ITEMS)),
        title=[f"film {item}" for item in range(NUM_ITEMS)],
        text=["" if item == 39 else WORDS[item % 2][item // 2 % 3] for item in range(NUM_ITEMS)],
    ),
).items


@pytest.fixture
def embeddings() -> NodeEmbeddings:
    """Items of a kind point the same way, twice as long where twice as popular; items 0, 1, 38, 39 were never met."""
    degree = np.where(np.isin(np.arange(NUM_ITEMS), [0, 1, 38, 39]), 0, 1 + np.arange(NUM_ITEMS) // 20)
    vectors = np.eye(2, dtype=np.float32)[KIND] * degree[:, None].astype(np.float32)
    return NodeEmbeddings(
        np.eye(2, dtype=np.float32), vectors, np.zeros((NUM_ITEMS, 0), np.float32), degree, np.eye(2, dtype=np.float32)
    )


def test_neighbours_share_words_and_add_up_to_one():
    """Item 0 has neighbours with its word only, as many as asked for; the item without a text has none."""
    rows = np.arange(2, 38)
    words = ItemWords.of_items(ITEMS)
    weights = text_neighbours(words, np.array([0, 39]), rows, num_neighbours=3)
    assert np.diff(weights.indptr).tolist() == [3, 0]
    assert {ITEMS.texts[int(rows[column])] for column in weights.indices} == {ITEMS.texts[0]}
    assert weights[[0]].sum() == pytest.approx(1)


def test_few_like_items_are_all_neighbours():
    """Fewer than asked for is no error, and nobody is there twice."""
    weights = text_neighbours(ItemWords.of_items(ITEMS), np.array([0]), np.arange(2, 38), num_neighbours=500)
    assert (
        weights.nnz == len(set(weights.indices.tolist())) == sum(ITEMS.texts[i] == ITEMS.texts[0] for i in range(2, 38))
    )


def test_borrowed_vectors_point_between_their_neighbours():
    """Half of each of two directions, with the mean length: a long vector does not outvote a short one."""
    vectors = np.array([[3, 0], [0, 1]], np.float32)
    borrowed = borrowed_vectors(sp.csr_matrix([[0.5, 0.5], [0, 1], [0, 0]]), vectors)
    np.testing.assert_allclose(borrowed, [[2 / np.sqrt(2), 2 / np.sqrt(2)], [0, 1], [0, 0]], atol=1e-6)


def test_items_nobody_met_point_where_their_kind_does(embeddings):
    """As short as the least popular items; an item without words stays zero; all others are as they were."""
    filled = with_borrowed_items(embeddings, ITEMS).items
    np.testing.assert_allclose(filled[[0, 1, 38, 39]], [[1, 0], [0, 1], [1, 0], [0, 0]], atol=1e-6)
    np.testing.assert_array_equal(filled[2:38], embeddings.items[2:38])


def test_nothing_to_fill_changes_nothing(embeddings):
    """Where every item was met the embeddings are the same object."""
    met = replace(embeddings, item_degree=np.ones(NUM_ITEMS, np.int64))
    assert with_borrowed_items(met, ITEMS) is met
