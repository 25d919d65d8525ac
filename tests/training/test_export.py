"""What a version is made of: index, catalogue, histories."""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from tests.training.graphs import checkerboard, write_checkerboard
from training.config import ExportConfig
from training.data import Interactions, Pairs, read_tabular
from training.export import build_index, catalog_of, histories_of


@pytest.fixture
def dataset(tmp_path: Path):
    return read_tabular(write_checkerboard(tmp_path / "data"))


@pytest.mark.parametrize("hnsw_from", [10**6, 1])
def test_the_index_finds_the_largest_inner_products(hnsw_from):
    """Exact or as a graph, the index answers with the items of largest inner product."""
    items = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    index = faiss.deserialize_index(build_index(items, ExportConfig(hnsw_from=hnsw_from)))
    queries = items[:20] * 3
    _, found = index.search(queries, 5)
    exact = np.argsort(-queries @ items.T, axis=1)[:, :5]
    shared = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert shared == 1 if hnsw_from > 300 else shared > 0.95


def test_the_index_is_the_same_bytes_each_time():
    """Publishing twice must not differ by the index."""
    items = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    assert build_index(items, ExportConfig()).tobytes() == build_index(items, ExportConfig()).tobytes()


def test_the_catalogue_counts_training_users_only(dataset):
    """Popularity is the number of training pairs; texts come along by row."""
    catalog = catalog_of(dataset, Pairs(np.array([0, 1, 2]), np.array([5, 5, 7])))
    assert (catalog.popularity[5], catalog.popularity[7], catalog.popularity.sum()) == (2, 1, 3)
    assert catalog.item(5).title == "The blue thing 5"


def test_histories_hold_the_training_items_of_each_user(dataset):
    """Without times they are the training pairs, user by user, and nothing held out."""
    train = checkerboard().train
    histories = histories_of(dataset, train)
    user = dataset.user_ids.to_row("u3")
    expected = sorted(train.items[train.users == 3].tolist())
    rows = Pairs(dataset.user_ids.to_rows(f"u{row}" for row in train.users), train.items)
    assert sorted(histories_of(dataset, rows).of(user).tolist()) == expected
    assert len(histories) == dataset.num_users


def test_histories_are_oldest_first_where_there_are_times(dataset):
    """The order is that of the first meeting, whatever the order of the pairs."""
    users, items = np.array([0, 0, 0, 1, 0]), np.array([3, 1, 2, 9, 3])
    log = Interactions(users, items, timestamps=np.array([30, 20, 10, 5, 40]))
    train = Pairs(np.array([0, 0, 0, 1]), np.array([1, 2, 3, 9]))
    histories = histories_of(replace(dataset, interactions=log), train)
    assert histories.of(0).tolist() == [2, 1, 3]
    assert histories.of(1).tolist() == [9]
