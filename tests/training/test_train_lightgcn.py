"""LightGCN on a checkerboard: whoever likes red is recommended red."""

from dataclasses import replace

import numpy as np
import pytest

from model_store import NodeEmbeddings
from tests.training.graphs import NUM_ITEMS, NUM_USERS, checkerboard, colours, split_of
from training.config import VectorsConfig
from training.data import Pairs
from training.ranking import evaluate_ranking
from training.spectral import filter_weights, normalized_matrix, spectrum
from training.train_lightgcn import train_lightgcn

STARTS = {
    "spectral": VectorsConfig(dim_per_level=2),
    "spectral, then softmax": VectorsConfig(dim_per_level=2, max_epochs=3, batch_size=256, num_negatives=32),
    "spectral, then bpr": VectorsConfig(dim_per_level=2, max_epochs=3, batch_size=256, loss="bpr"),
    "random, bpr": VectorsConfig(
        dim_per_level=2, start="xavier", max_epochs=20, batch_size=128, loss="bpr", learning_rate=0.2, patience=20
    ),
}


def train(config, split=None, seed=0):
    return train_lightgcn(split or checkerboard(), NUM_USERS, NUM_ITEMS, config, seed)


def tensors(embeddings):
    return {name: getattr(embeddings, name) for name in NodeEmbeddings.__dataclass_fields__}


@pytest.mark.parametrize("config", STARTS.values(), ids=STARTS.keys())
def test_no_user_is_recommended_the_other_colour(config):
    """Every item of a user's colour outscores every item of the other, from every start and with every loss."""
    embeddings = train(config).embeddings
    scores = embeddings.users @ embeddings.items.T
    own = colours(NUM_USERS)[:, None] == colours(NUM_ITEMS)[None]
    assert np.where(own, scores, np.inf).min(1).min() > np.where(own, -np.inf, scores).max(1).max()


@pytest.mark.parametrize("config", STARTS.values(), ids=STARTS.keys())
def test_the_same_seed_gives_the_same_bytes(config):
    """Two runs of one seed agree in every bit of every tensor."""
    first, second = (tensors(train(config).embeddings) for _ in range(2))
    assert {name: array.tobytes() for name, array in first.items()} == {
        name: array.tobytes() for name, array in second.items()
    }


def test_another_seed_gives_other_vectors():
    """The seed reaches the start and the batches."""
    config = STARTS["random, bpr"]
    assert not np.array_equal(train(config).embeddings.users, train(config, seed=1).embeddings.users)


def test_a_user_never_seen_is_folded_in_among_the_own_colour():
    """A history of every other red item gets a vector that scores every red item above every blue one."""
    embeddings = train(STARTS["spectral"]).embeddings
    scores = embeddings.items @ embeddings.fold_in(np.arange(0, NUM_ITEMS, 4))
    assert scores[colours(NUM_ITEMS) == 0].min() > scores[colours(NUM_ITEMS) == 1].max()


def test_training_never_makes_it_worse_than_the_start():
    """With a learning rate that destroys the vectors the start, epoch 0, is what comes out."""
    split = random_split()
    start = train(replace(STARTS["spectral"]), split)
    wild = replace(STARTS["spectral, then softmax"], learning_rate=50.0, temperature=0.01)
    kept = train(wild, split)
    assert len(kept.epochs) > 1
    assert kept.best_epoch == 0
    np.testing.assert_array_equal(kept.embeddings.users, start.embeddings.users)


def test_training_stops_after_patience_epochs_without_a_better_one():
    """Of 50 epochs allowed only `patience` follow the best."""
    config = replace(STARTS["spectral, then softmax"], learning_rate=50.0, max_epochs=50, patience=2)
    trained = train(config, random_split())
    assert len(trained.epochs) - 1 - trained.best_epoch == 2


def test_test_edges_are_never_looked_at():
    """Other test edges change no bit: neither filter nor stopping nor vectors know them."""
    split = checkerboard()
    swapped = replace(split, test=Pairs(split.test.users, split.test.items[::-1].copy()))
    config = STARTS["spectral, then softmax"]
    ours, theirs = train(config, split), train(config, swapped)
    assert ours.best_epoch == theirs.best_epoch
    np.testing.assert_array_equal(ours.embeddings.users, theirs.embeddings.users)
    np.testing.assert_array_equal(ours.embeddings.items, theirs.embeddings.items)


def test_the_best_epoch_is_the_one_with_the_best_valid_ndcg():
    """What comes out ranks the valid part exactly as the best epoch said it did."""
    config = replace(STARTS["random, bpr"], max_epochs=5)
    split = random_split()
    trained = train(config, split)
    ndcgs = [epoch.valid.ndcg[20] for epoch in trained.epochs if epoch.valid]
    assert trained.best_epoch == int(np.argmax(ndcgs))
    found = evaluate_ranking(trained.embeddings.users, trained.embeddings.items, split, (20,), part="valid")
    assert found.ndcg[20] == pytest.approx(ndcgs[trained.best_epoch])


def test_a_spectral_start_survives_propagation():
    """The start that LightGCN propagates is the closed form itself: users are U s^(p/2), up to one factor."""
    split = random_split()
    trained = train(STARTS["spectral"], split)
    assert trained.graph_filter is not None
    triplets = spectrum(normalized_matrix(split.train, NUM_USERS, NUM_ITEMS), 10, seed=0)
    closed = triplets.users * filter_weights(triplets.values, trained.graph_filter)
    factor = np.linalg.norm(trained.embeddings.users) / np.linalg.norm(closed)
    np.testing.assert_allclose(
        trained.embeddings.users, closed * factor, atol=2e-3
    )  # s of noise are close to each other: the factorisation is approximate


def test_without_valid_edges_the_last_epoch_is_kept():
    """Data that holds out nothing still trains."""
    split = checkerboard()
    none = split.valid.take(np.zeros(0, np.int64))
    trained = train(STARTS["spectral, then softmax"], replace(split, valid=none))
    assert trained.best_epoch == 3
    assert trained.epochs[-1].valid is None


def test_users_and_items_without_training_edges_get_finite_vectors():
    """A graph with lonely nodes has zeros for them, no NaN."""
    split = checkerboard()
    lonely = split_of(split.train.take(split.train.users != 39), split.valid, split.test)
    embeddings = train(STARTS["spectral, then bpr"], lonely).embeddings
    assert all(np.isfinite(array).all() for array in tensors(embeddings).values())


def random_split():
    """A random graph with held-out edges: nothing to find but noise, so that epochs differ."""
    cells = np.random.default_rng(3).permutation(NUM_USERS * NUM_ITEMS)[:700]
    pairs = Pairs(cells // NUM_ITEMS, cells % NUM_ITEMS)
    return split_of(*(pairs.take(chunk) for chunk in np.split(np.arange(700), [500, 600])))
