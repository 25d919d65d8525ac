"""A data set without some of its users and items."""

import numpy as np

from tests.training.toy_data import dataset_of, table
from training.data import Dataset, Pairs, Split, SplitConfig, held_out_nodes, split, subset

PAIRS = [(user, item) for user in range(10) for item in range(12)]


def whole() -> tuple[Dataset, Split]:
    """Everybody met everything at the time 100 * user + item; every fifth meeting is explained."""
    items = table("items.parquet", item_id=list(range(12)), title=[f"thing {item}" for item in range(12)])
    times = [100 * user + item for user, item in PAIRS]
    dataset = dataset_of(PAIRS, timestamps=times, explained=PAIRS[::5], items=items)
    return dataset, split(dataset, SplitConfig())


def outside(dataset: Dataset, pairs: Pairs) -> set[tuple[int | str, int | str]]:
    rows = zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)
    return {(dataset.user_ids.to_id(user), dataset.item_ids.to_id(item)) for user, item in rows}


def test_who_is_left_keeps_everything():
    """Every pair among those who are left stands in its old part, with its time and title; no other does."""
    dataset, parts = whole()
    users, items = np.arange(10) % 3 != 0, np.arange(12) != 5
    left, left_parts = subset(dataset, parts, users=users, items=items)
    assert (left.num_users, left.num_items) == (6, 11)
    for name in ("train", "valid", "test", "removed"):
        old, new = outside(dataset, getattr(parts, name)), outside(left, getattr(left_parts, name))
        assert new == {(user, item) for user, item in old if int(user) % 3 and item != 5}
    log = left.interactions
    assert log.timestamps is not None
    for user, item, time in zip(log.users, log.items, log.timestamps, strict=True):
        assert time == 100 * int(left.user_ids.to_id(int(user))) + int(left.item_ids.to_id(int(item)))
    assert left.items.titles[left.item_ids.to_row(7)] == "thing 7"
    np.testing.assert_array_equal(left_parts.item_roles, parts.item_roles[items])


def test_explanations_keep_their_part():
    """Texts of held-out positions are the same ones as before, less those of users who are gone."""
    dataset, parts = whole()
    left, left_parts = subset(dataset, parts, users=np.arange(10) != 0)
    assert dataset.explanations is not None
    assert left.explanations is not None
    for name in ("train_explanations", "valid_explanations", "test_explanations"):
        old = {dataset.explanations.texts[position] for position in getattr(parts, name)}
        new = {left.explanations.texts[position] for position in getattr(left_parts, name)}
        assert new == {text for text in old if not text.startswith("why 0 ")}
    for row, text in enumerate(left.explanations.texts):
        user, item = left.explanations.users[row], left.explanations.items[row]
        assert text == f"why {left.user_ids.to_id(int(user))} {left.item_ids.to_id(int(item))}"


def test_held_out_nodes_are_a_seeded_share_of_the_ids():
    """About a tenth; the same under the same seed, whoever else is there; others under another."""
    ids = dataset_of([(user, 0) for user in range(3000)]).user_ids
    some = dataset_of([(user, 0) for user in range(1000)]).user_ids
    chosen = held_out_nodes(ids, 0.1, 0)
    assert 0.08 < chosen.mean() < 0.12
    np.testing.assert_array_equal(chosen[:1000], held_out_nodes(some, 0.1, 0))
    assert not np.array_equal(chosen, held_out_nodes(ids, 0.1, 1))
    assert not held_out_nodes(ids, 0.0, 0).any()
