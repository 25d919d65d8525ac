"""Ranking evaluation against a ranking made item by item."""

import numpy as np
import pytest

from tests.training.graphs import NUM_ITEMS, NUM_USERS, checkerboard, colours, split_of
from training.data import Pairs
from training.ranking import NUM_ACTIVITY_BINS, evaluate_ranking, top_items


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
        evaluate_ranking(np.ones((NUM_USERS, 1), np.float32), np.ones((NUM_ITEMS, 1), np.float32), empty)


def test_a_user_without_a_history_is_not_judged():
    """User 0 has a test item but no training pair: nothing to rank by, and no part in the mean."""
    split = checkerboard()
    vectors = np.ones((NUM_USERS, 1), np.float32), np.ones((NUM_ITEMS, 1), np.float32)
    forgotten = split_of(split.train.take(split.train.users != 0), split.valid, split.test)
    assert evaluate_ranking(*vectors, forgotten).num_users == NUM_USERS - 1


def test_candidates_can_be_a_few_items():
    """Among three candidates of which one is held out, random vectors find it within three; others do not count."""
    split = checkerboard()
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(count, 4)).astype(np.float32) for count in (NUM_USERS, NUM_ITEMS))
    held_out = int(split.test.items[split.test.users == 0][0])
    few = np.array(sorted({held_out, *[item for item in range(NUM_ITEMS) if item % 2][:2]}))
    result = evaluate_ranking(users, items, split, (3,), items=few)
    assert result.recall[3] == 1
    assert result.num_users == np.isin(split.test.items, few).sum()


def test_activity_bins_are_the_means_of_their_users():
    """Users ordered by history length fall into five bins whose figures, weighted by size, are the whole's.

    Vectors are such that exactly the users with an even history length find their item.
    """
    lengths = np.repeat(np.arange(1, 11), 4)  # 40 users with 1 to 10 training items
    users = np.repeat(np.arange(NUM_USERS), lengths)
    train = Pairs(users, np.concatenate([np.arange(length) for length in lengths]))
    test = Pairs(np.arange(NUM_USERS), np.full(NUM_USERS, NUM_ITEMS - 1))
    found = np.where(lengths % 2 == 0, 1, -1).astype(np.float32)[:, None]
    items = (np.arange(NUM_ITEMS) == NUM_ITEMS - 1).astype(np.float32)[:, None]
    result = evaluate_ranking(found, items, split_of(train, test.take(np.zeros(0, np.int64)), test), (1,))
    assert len(result.by_activity) == NUM_ACTIVITY_BINS
    assert [(each.shortest, each.longest) for each in result.by_activity] == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert [each.figures.recall[1] for each in result.by_activity] == [0.5] * 5
    assert [each.figures.num_users for each in result.by_activity] == [8] * 5
    assert result.to_json()["by_activity"][0] == {"history": [1, 2], "recall@1": 0.5, "ndcg@1": 0.5, "users": 8}
    assert result.recall[1] == 0.5


def test_equal_histories_are_one_bin():
    """Where everybody is equally active there is one bin: everybody."""
    split = checkerboard()
    vectors = np.ones((NUM_USERS, 1), np.float32), np.ones((NUM_ITEMS, 1), np.float32)
    (only,) = evaluate_ranking(*vectors, split).by_activity
    assert only.figures.num_users == NUM_USERS


def test_top_items_are_the_best_candidates_in_order():
    """The first of them are what Recall counts: unknown items by falling score, for any choice of users."""
    split, rng = checkerboard(), np.random.default_rng(3)
    users, items = (rng.normal(size=(count, 4)).astype(np.float32) for count in (NUM_USERS, NUM_ITEMS))
    chosen = np.array([7, 2])
    top = top_items(users[chosen], items, split, chosen, 5)
    for user, row in zip(chosen, top, strict=True):
        known = {int(i) for part in (split.train, split.valid) for u, i in zip(*part, strict=True) if u == user}
        order = [item for item in np.argsort(-(items @ users[user])) if item not in known]
        assert row.tolist() == order[:5]
