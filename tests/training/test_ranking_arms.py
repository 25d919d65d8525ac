"""Ranking arms: on data whose right ranking is known, and against the service's own fold-in."""

import numpy as np

from model_store import MacroQuantizer, MicroQuantizer, NodeEmbeddings, SideTokenizer
from tests.training.graphs import NUM_ITEMS, NUM_USERS, checkerboard, colours, split_of
from training.data import Pairs
from training.ranking_arms import Arm, fold_in_all, graph_arms, judged, popularity_vectors, token_arms


def test_popularity_ranks_by_training_users():
    """The item with most training users scores highest for everybody."""
    pairs = Pairs(np.array([0, 1, 2, 0]), np.array([4, 4, 4, 2]))
    users, items = popularity_vectors(split_of(pairs, pairs, pairs), 3, 6)
    assert (users @ items.T).argmax(1).tolist() == [4, 4, 4]


def test_fold_in_all_is_fold_in_of_each():
    """All histories at once give what NodeEmbeddings.fold_in gives one by one."""
    rng = np.random.default_rng(2)
    split = checkerboard()
    embeddings = NodeEmbeddings(
        users=np.zeros((NUM_USERS, 4), np.float32),
        items=rng.normal(size=(NUM_ITEMS, 4)).astype(np.float32),
        item_texts=np.zeros((NUM_ITEMS, 0), np.float32),
        item_degree=np.bincount(split.train.items, minlength=NUM_ITEMS),
        fold_in_map=rng.normal(size=(4, 4)).astype(np.float32),
    )
    folded = fold_in_all(embeddings, split.train, NUM_USERS)
    for user in (0, 7):
        alone = embeddings.fold_in(split.train.items[split.train.users == user])
        np.testing.assert_allclose(folded[user], alone, rtol=1e-4, atol=1e-6)


def test_tokens_that_say_the_colour_rank_as_vectors_do():
    """One code a colour, with text dimensions beside it, decodes to vectors that find every held-out item."""
    split = checkerboard()
    codebook = np.array([[1, 0, 9], [0, 1, -9]], np.float32)  # graph, graph, text
    side = SideTokenizer(MacroQuantizer(codebook), MicroQuantizer(np.zeros((5, 2, 3), np.float32)))
    codes = [
        np.stack([colours(count), *5 * [np.zeros(count)]], 1).astype(np.uint16) for count in (NUM_USERS, NUM_ITEMS)
    ]
    results = judged(token_arms(side, side, codes[0], codes[1], 2), split)
    for part in ("valid", "test"):
        assert results[part]["tokens only"]["recall@10"] == 1
        assert results[part]["macro only"]["recall@10"] == 1


def test_arms_are_judged_on_the_same_users():
    """Vectors, fold-in and popularity answer for the same number of users; vectors of the colours beat popularity."""
    split = checkerboard()
    embeddings = NodeEmbeddings(
        users=np.eye(2, dtype=np.float32)[colours(NUM_USERS)],
        items=np.eye(2, dtype=np.float32)[colours(NUM_ITEMS)],
        item_texts=np.zeros((NUM_ITEMS, 0), np.float32),
        item_degree=np.bincount(split.train.items, minlength=NUM_ITEMS),
        fold_in_map=np.eye(2, dtype=np.float32),
    )
    arms = judged(graph_arms(embeddings, split), split)["test"]
    assert {figures["users"] for figures in arms.values()} == {NUM_USERS}
    assert arms["vectors"]["ndcg@10"] == 1
    assert arms["fold-in"]["ndcg@10"] == 1
    assert arms["popularity"]["ndcg@10"] < 1


def test_a_part_without_pairs_is_left_out():
    """Data without valid edges has no valid figures."""
    split = checkerboard()
    none = split_of(split.train, split.valid.take(np.zeros(0, np.int64)), split.test)
    arm = Arm("popularity", *popularity_vectors(split, NUM_USERS, NUM_ITEMS))
    assert set(judged([arm], none)) == {"test"}
