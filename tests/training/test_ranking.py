"""Ranking evaluation against a ranking made item by item."""

import numpy as np
import pytest

from model_store import MacroQuantizer, MicroQuantizer, NodeEmbeddings, SideTokenizer
from tests.training.graphs import NUM_ITEMS, NUM_USERS, checkerboard, colours, split_of
from training.data import Pairs
from training.ranking import evaluate_ranking, fold_in_all, graph_rankings, popularity_vectors, token_rankings


def by_hand(users, items, split, k):
    """Recall@k with plain loops: every item scored, known ones struck out, the rest sorted."""
    recalls = []
    for user in sorted(set(split.test.users.tolist())):
        known = {
            int(i)
            for part in (split.train, split.valid, split.removed, split.disliked)
            for u, i in zip(*part, strict=True)
            if u == user
        }
        relevant = {int(i) for u, i in zip(*split.test, strict=True) if u == user}
        order = sorted((i for i in range(len(items)) if i not in known), key=lambda i: -float(users[user] @ items[i]))
        recalls.append(len(relevant & set(order[:k])) / len(relevant))
    return sum(recalls) / len(recalls), len(recalls)


def test_agrees_with_a_ranking_made_by_hand():
    """Recall of random vectors on a random split equals that of plain loops, in one chunk or in many."""
    rng = np.random.default_rng(1)
    cells = rng.permutation(NUM_USERS * NUM_ITEMS)[:900]
    pairs = Pairs(cells // NUM_ITEMS, cells % NUM_ITEMS)
    parts = [pairs.take(chunk) for chunk in np.split(np.arange(900), [500, 600, 850])]
    split = split_of(parts[0], parts[1], parts[2], removed=parts[3])
    users = rng.normal(size=(NUM_USERS, 8)).astype(np.float32)
    items = rng.normal(size=(NUM_ITEMS, 8)).astype(np.float32)
    expected, judged = by_hand(users, items, split, 5)
    assert expected > 0
    for chunk_scores in (16_000_000, 3 * NUM_ITEMS):
        result = evaluate_ranking(users, items, split, (5,), chunk_scores=chunk_scores)
        assert result.recall[5] == pytest.approx(expected)
        assert result.num_users == judged


def test_known_items_are_no_candidates():
    """Vectors that score every training item highest still find the one held-out item first."""
    split = checkerboard()
    users = np.eye(2, dtype=np.float32)[colours(NUM_USERS)]
    items = np.eye(2, dtype=np.float32)[colours(NUM_ITEMS)]
    assert evaluate_ranking(users, items, split, (1,)).recall[1] == 1


def test_valid_items_are_candidates_while_valid_is_judged():
    """On the valid part the two left-out items tie; k = 2 finds both, as neither is struck out."""
    split = checkerboard()
    users = np.eye(2, dtype=np.float32)[colours(NUM_USERS)]
    items = np.eye(2, dtype=np.float32)[colours(NUM_ITEMS)]
    assert evaluate_ranking(users, items, split, (2,), part="valid").recall[2] == 1


def test_only_the_users_asked_for_are_judged():
    """`users` narrows the mean down to those of them who have held-out items."""
    split = checkerboard()
    vectors = np.ones((NUM_USERS, 1), np.float32), np.ones((NUM_ITEMS, 1), np.float32)
    assert evaluate_ranking(*vectors, split, users=np.array([3, 5])).num_users == 2


def test_nobody_to_judge_is_an_error():
    """Without held-out pairs there is no mean: ValueError, not NaN."""
    split = checkerboard()
    empty = split_of(split.train, split.valid, split.test.take(np.zeros(0, np.int64)))
    with pytest.raises(ValueError, match="no user has a test item"):
        evaluate_ranking(*popularity_vectors(split, NUM_USERS, NUM_ITEMS), empty)


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
    results = token_rankings(side, side, codes[0], codes[1], 2, split)
    assert results["tokens only"].recall[10] == 1
    assert results["macro only"].recall[10] == 1


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
    arms = graph_rankings(embeddings, split)
    assert {result.num_users for result in arms.values()} == {NUM_USERS}
    assert arms["vectors"].ndcg[10] == 1
    assert arms["fold-in"].ndcg[10] == 1
    assert arms["popularity"].ndcg[10] < 1
