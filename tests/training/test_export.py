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


def _items(count: int):
    """Every other dimension matters a thousand times as much: codes spend themselves there."""
    normal = np.random.default_rng(0).normal(size=(count, 16))
    return (normal * np.tile([1000, 1], 8)).astype(np.float32)


def _index(items, queries, config: ExportConfig):
    index_bytes = build_index(items, config, queries=queries)
    assert build_index(items, config, queries=queries).tobytes() == index_bytes.tobytes()  # whoever publishes it
    return faiss.deserialize_index(index_bytes)


@pytest.mark.parametrize(
    ("count", "hnsw_from", "kind", "depth"),
    [
        (300, 10**6, faiss.IndexFlatIP, 5),
        (5_000, 10**6, faiss.IndexPQFastScan, 110),
        (300, 1, faiss.IndexHNSWFlat, 5),
    ],
)
def test_the_index_finds_the_largest_inner_products(count, hnsw_from, kind, depth):
    """Exact, by a scan that leads to a few to be scored again, or as a graph; the same bytes each time."""
    items = _items(count)
    queries = items[:20] * 3
    index = _index(items, queries, ExportConfig(hnsw_from=hnsw_from))
    assert type(index) is kind
    _, found = index.search(queries, depth)
    exact = np.argsort(-queries @ items.T, axis=1)[:, :5]
    shared = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert shared == 1 if kind is faiss.IndexFlatIP else shared > 0.95


def test_a_scan_that_loses_too_much_is_not_exported():
    """Users who look at what the codes do not tell get an exact index."""
    items = _items(5_000)
    looks = (items * np.tile([0, 1], 8), items * np.tile([1, 0], 8))
    kinds = [type(_index(items, queries, ExportConfig())) for queries in looks]
    assert kinds == [faiss.IndexFlatIP, faiss.IndexPQFastScan]


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
