"""Codebooks of nodes in six colours: macro codes are the colours, and are named by them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from model_store.embeddings import NodeEmbeddings, unit_rows
from model_store.quantizer import Codes
from model_store.types import Side
from tests.training.graphs import split_of
from tests.training.toy_data import dataset_of, table
from training.config import ConfigError, TokenizerConfig
from training.data import Pairs
from training.residual_kmeans import of_codes, residual_kmeans
from training.train_tokenizer import (
    history_matrix,
    joint_users,
    level_weights,
    metric_of,
    num_steps,
    train_tokenizer,
)

COLOURS = ("red", "blue", "green", "amber", "violet", "silver")
NUM_USERS, NUM_ITEMS = 18, 36
SEED = 5
"""Of a random start with one node of each colour; k-means from another may leave two colours in one code."""
CONFIG = TokenizerConfig(codebook_size=6, kmeans_iterations=20, text_dim=4, text_weight=0.5)
PAIRS = [(user, item) for user in range(NUM_USERS) for item in range(NUM_ITEMS) if user % 6 == item % 6]
TRAIN = Pairs(*(np.array(rows, np.int64) for rows in zip(*PAIRS, strict=True)))
NONE = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
PARTS = split_of(TRAIN, NONE, NONE)


def alike(dim: int) -> np.ndarray:
    """Weights of levels that see every dimension alike."""
    return np.ones((6, dim), np.float32)


@pytest.fixture
def dataset():
    """Row r of either side has colour r % 6; users have had all items of theirs."""
    ids = list(range(NUM_ITEMS))
    items = table(
        "items.parquet",
        item_id=ids,
        title=[f"Item {row}" for row in ids],
        text=[f"A {COLOURS[row % 6]} thing" for row in ids],
    )
    return dataset_of(PAIRS, items=items)


@pytest.fixture
def graph() -> NodeEmbeddings:
    """One dimension a colour, and a little noise."""
    rng = np.random.default_rng(0)
    users, items = (
        (np.eye(6)[np.arange(count) % 6] + 0.01 * rng.normal(size=(count, 6))).astype(np.float32)
        for count in (NUM_USERS, NUM_ITEMS)
    )
    none, degree = np.zeros((NUM_ITEMS, 0), np.float32), np.full(NUM_ITEMS, 3)
    return NodeEmbeddings(users, items, none, degree, np.eye(6, dtype=np.float32))


def test_macro_codes_are_the_colours_and_named_by_them(graph, dataset):
    """Nodes share a macro code exactly if they share a colour, on both sides, and its first word is the colour."""
    trained = train_tokenizer(graph, dataset, PARTS, CONFIG, SEED)
    by_side: dict[Side, Codes] = {"user": trained.user_codes, "item": trained.item_codes}
    for side, codes in by_side.items():
        macro = codes[:, 0]
        same = np.arange(len(macro))[:, None] % 6 == np.arange(len(macro))[None] % 6
        np.testing.assert_array_equal(macro[:, None] == macro[None], same)
        for row, code in enumerate(macro):
            assert trained.vocabulary.meaning(side, 0, int(code)).words == (COLOURS[row % 6],)


def test_codes_are_what_the_served_quantizers_give(graph, dataset):
    """Item codes are the encoding of the items' joint vectors, shapes as published."""
    trained = train_tokenizer(graph, dataset, PARTS, CONFIG, SEED)
    joint = np.stack([trained.embeddings.joint_item(row) for row in range(NUM_ITEMS)])
    np.testing.assert_array_equal(trained.item.encode(joint), trained.item_codes)
    assert trained.user_codes.shape == (NUM_USERS, 6)
    assert trained.embeddings.dim_text == 4
    assert trained.user.micro.codebooks.shape == (5, 6, 10)


def test_the_text_of_a_user_is_what_the_service_makes_of_the_history(graph, dataset):
    """All users at once equal NodeEmbeddings.user_texts_of one by one; the graph part is the trained direction."""
    texts = np.random.default_rng(1).normal(size=(NUM_ITEMS, 3)).astype(np.float32)
    embeddings = replace(graph, item_texts=texts)
    some = TRAIN.take(TRAIN.users > 0)  # user 0 has had nothing
    joint = joint_users(embeddings, history_matrix(some, NUM_USERS, NUM_ITEMS))
    expected = [embeddings.user_texts_of(some.items[some.users == user]) for user in range(NUM_USERS)]
    np.testing.assert_allclose(joint[:, 6:], expected, atol=1e-5)
    np.testing.assert_allclose(joint[:, :6], unit_rows(graph.users), rtol=1e-6)
    assert joint.dtype == np.float32


def test_every_level_brings_the_decoded_vector_closer():
    """What six levels leave of random vectors falls with each level; `on_level` hears of all six."""
    x = np.random.default_rng(2).normal(size=(200, 8)).astype(np.float32)
    heard: list[int] = []
    side = residual_kmeans(x, alike(8), replace(CONFIG, codebook_size=16), 0, heard.append)
    codes = side.encode(x)
    decoded = [side.macro.decode(codes[:, 0])]
    for level in range(5):
        decoded.append(decoded[-1] + side.micro.codebooks[level][codes[:, 1 + level]])
    errors = [float(np.square(x - each).mean()) for each in decoded]
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert heard == [1] * 6


def test_the_same_seed_gives_the_same_codebooks():
    """Byte for byte; another seed gives others."""
    x = np.random.default_rng(2).normal(size=(60, 4)).astype(np.float32)
    first, again, other = (residual_kmeans(x, alike(4), CONFIG, seed, lambda _: None) for seed in (0, 0, 7))
    assert first.macro.codebook.tobytes() == again.macro.codebook.tobytes()
    assert first.micro.codebooks.tobytes() == again.micro.codebooks.tobytes()
    assert first.macro.codebook.tobytes() != other.macro.codebook.tobytes()


def test_too_few_nodes_for_the_codebooks_are_refused():
    """The message says how many there are and which key to lower."""
    with pytest.raises(ConfigError, match=r"5 nodes .* lower codebook_size"):
        residual_kmeans(np.eye(5, dtype=np.float32), alike(5), CONFIG, 0, lambda _: None)


def test_levels_see_what_they_are_told_to():
    """Graph dimensions through the metric at mean length 1, text as it is; without texts every level sees the graph."""
    x = np.array([[3, 4, 1], [3, 4, 0]], np.float32)
    weights = level_weights(["graph", "text", "both", "graph", "graph", "text"], np.array([1, 0.5], np.float32), x)
    length = np.hypot(3, 2)
    np.testing.assert_allclose(weights[0], [1 / length, 0.5 / length, 0], rtol=1e-6)
    np.testing.assert_array_equal(weights[1], [0, 0, 1])
    np.testing.assert_allclose(weights[2], weights[0] + weights[1])
    textless = level_weights(["text"] * 6, np.ones(2, np.float32), x * np.array([1, 1, 0], np.float32))
    np.testing.assert_allclose(textless, np.tile([0.2, 0.2, 0], (6, 1)))


def test_a_text_level_tells_texts_apart_and_takes_the_graph_along():
    """Two texts, each with its own place in the graph: the text code alone brings the graph part closer."""
    rng = np.random.default_rng(0)
    kind = np.arange(40) % 2
    text = np.eye(2, dtype=np.float32)[kind]
    graph = np.where(kind[:, None] == 0, 1.0, -1.0) + 0.01 * rng.normal(size=(40, 2))
    x = np.concatenate([graph, text], axis=1).astype(np.float32)
    weights = np.tile(np.array([0, 0, 1, 1], np.float32), (6, 1))
    side = residual_kmeans(x, weights, replace(CONFIG, codebook_size=2), 0, lambda _: None)
    codes = side.encode(x)
    assert len(set(zip(kind, codes[:, 0], strict=True))) == 2
    np.testing.assert_allclose(side.macro.decode(codes[:, 0])[:, :2], graph, atol=0.1)


def test_the_metric_keeps_what_ranks():
    """Scores are rebuilt better from codes chosen in the other side's metric than from codes of plain distances."""
    rng = np.random.default_rng(0)
    scale = 0.5 ** np.arange(8)
    users, items = (rng.normal(size=(300, 8)).astype(np.float32) for _ in range(2))
    users *= scale.astype(np.float32)
    config = replace(CONFIG, codebook_size=4)
    seen = np.tile(metric_of(users), (6, 1)), alike(8)
    errors = []
    for weights in seen:
        side = residual_kmeans(items, weights, config, 0, lambda _: None)
        errors.append(np.square(users @ (items - side.decode(side.encode(items))).T).mean())
    assert errors[0] < 0.8 * errors[1]


def test_given_codes_decode_to_the_means_of_their_nodes():
    """Nodes that share all codes decode to their mean; a code of nobody is nobody's nearest."""
    x = np.array([[0, 1], [0, 3], [5, 0], [7, 0]], np.float32)
    codes = np.array([[0] * 6, [0] * 6, [1] * 6, [1] * 6], np.uint16)
    side = of_codes(x, codes, 3)
    np.testing.assert_allclose(side.decode(codes), [[0, 2], [0, 2], [6, 0], [6, 0]])
    np.testing.assert_array_equal(side.encode(x)[:, 0], codes[:, 0])
    assert 2 not in side.encode(x)


def test_chosen_codes_keep_more_of_the_best_scores():
    """Against nearest codes of the same codebooks: more of each user's ten best items of 1500 stay among their ten."""
    rng = np.random.default_rng(0)
    scales = np.linspace(1, 0.1, 24, dtype=np.float32)
    users, items = (scales * rng.normal(size=(count, 24)).astype(np.float32) for count in (300, 1500))
    likes = np.argsort(-(users @ items.T), axis=1)[:, 1:60:6]
    rows = Pairs(np.repeat(np.arange(300), likes.shape[1]), likes.ravel())
    columns = table("items.parquet", item_id=list(range(1500)), title=[f"T{item}" for item in range(1500)])
    dataset = dataset_of(list(zip(rows.users.tolist(), rows.items.tolist(), strict=True)), items=columns)
    none = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    degree = np.bincount(rows.items, minlength=1500)
    graph = NodeEmbeddings(users, items, np.zeros((1500, 0), np.float32), degree, np.eye(24, dtype=np.float32))

    def kept(rounds: int) -> float:
        config = TokenizerConfig(codebook_size=32, text_dim=0, choice_rounds=rounds)
        counted: list[int] = []
        found = train_tokenizer(graph, dataset, split_of(rows, none, none), config, seed=0, on_level=counted.append)
        assert sum(counted) == num_steps(config)
        vectors = users / np.linalg.norm(users, axis=1, keepdims=True)
        told = found.user.decode(found.user_codes) @ found.item.decode(found.item_codes).T
        best, shown = (np.argsort(-scores, axis=1)[:, :10] for scores in (vectors @ items.T, told))
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(best, shown, strict=True)]))

    assert kept(2) > kept(0) + 0.01
