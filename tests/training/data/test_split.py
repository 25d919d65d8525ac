"""The leak-free split."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.toy_data import dataset_of
from training.data.dataset import SPLITS, Dataset, Pairs
from training.data.errors import LeakError
from training.data.split import TEST, TRAIN, VALID, Split, SplitConfig, check_leaks, item_roles, parts_of, split
from training.data.xrec import read_xrec

SHARED = Path(__file__).parents[4] / "shared" / "data" / "xrec"
TENTHS = SplitConfig(valid_share=0.1, test_share=0.1)


def outside(dataset: Dataset, pairs: Pairs) -> set[tuple[int | str, int | str]]:
    """Pairs as their outside ids."""
    rows = zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)
    return {(dataset.user_ids.to_id(user), dataset.item_ids.to_id(item)) for user, item in rows}


def explained_everything(num_users: int = 30, num_items: int = 60) -> Dataset:
    """Every user met every item, and every tenth meeting is explained."""
    pairs = [(user, item) for user in range(num_users) for item in range(num_items)]
    return dataset_of(pairs, splits=["train"] * len(pairs), explained=pairs[::7])


def test_a_split_that_the_data_brings_is_kept() -> None:
    """No pair changes its part."""
    dataset = dataset_of([(1, 1), (1, 2), (1, 3), (2, 1)], splits=["train", "valid", "test", "train"])
    parts = split(dataset, SplitConfig())

    assert outside(dataset, parts.train) == {(1, 1), (2, 1)}
    assert outside(dataset, parts.valid) == {(1, 2)}
    assert outside(dataset, parts.test) == {(1, 3)}


def test_the_latest_are_held_out_where_there_are_times() -> None:
    """Of ten likes of each user, in whatever order they are listed, the last is test and the one before it valid."""
    pairs = [(user, item) for user in (1, 2) for item in range(10)]
    times = [*range(10), *range(100, 90, -1)]
    dataset = dataset_of(pairs, timestamps=times)
    parts = split(dataset, TENTHS)

    assert outside(dataset, parts.test) == {(1, 9), (2, 0)}
    assert outside(dataset, parts.valid) == {(1, 8), (2, 1)}
    assert parts.train.num_pairs == 16


def test_by_time_the_latest_of_all_are_held_out() -> None:
    """Users 1 and 2 act one after the other: everything held out is user 2's, and user 1 only trains."""
    pairs = [(user, item) for user in (1, 2) for item in range(10)]
    dataset = dataset_of(pairs, timestamps=list(range(20)))
    parts = split(dataset, SplitConfig(by="time"))

    assert outside(dataset, parts.test) == {(2, 8), (2, 9)}
    assert outside(dataset, parts.valid) == {(2, 6), (2, 7)}
    assert parts.train.num_pairs == 16


def test_times_can_be_ignored() -> None:
    """A random split of data with times is that of the same data without."""
    pairs = [(user, item) for user in range(5) for item in range(10)]
    timed, timeless = dataset_of(pairs, timestamps=list(range(50))), dataset_of(pairs)
    by_chance = split(timed, SplitConfig(by="random"))

    assert outside(timed, by_chance.test) == outside(timeless, split(timeless, SplitConfig()).test)
    assert outside(timed, by_chance.test) != outside(timed, split(timed, SplitConfig()).test)


def test_without_times_a_seed_decides() -> None:
    """The same seed gives the same split, another another; shares hold for every user."""
    dataset = dataset_of([(user, item) for user in range(20) for item in range(10)])
    first, again, other = (split(dataset, SplitConfig(seed=seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(np.bincount(first.test.users), np.ones(20))
    np.testing.assert_array_equal(np.bincount(first.train.users), np.full(20, 8))
    assert outside(dataset, first.test) == outside(dataset, again.test)
    assert outside(dataset, first.test) != outside(dataset, other.test)


def test_only_likes_are_learned_from() -> None:
    """Ratings under the threshold are in no part; those before the first held-out like are known as disliked."""
    pairs = [(1, item) for item in range(12)]
    ratings = [5] * 10 + [2, 2]
    times = [*range(10), 4, 50]  # the first dislike comes before the held-out likes 8 and 9, the second after
    dataset = dataset_of(pairs, ratings=ratings, timestamps=times)
    parts = split(dataset, TENTHS)

    assert outside(dataset, parts.train) == {(1, item) for item in range(8)}
    assert outside(dataset, parts.disliked) == {(1, 10)}


def test_a_pair_comes_once_and_in_its_earliest_part() -> None:
    """Who bought a thing in training cannot have it as a test."""
    dataset = dataset_of([(1, 1), (1, 1), (1, 1), (1, 2)], splits=["test", "train", "train", "test"])
    parts = split(dataset, SplitConfig())

    assert [column.tolist() for column in parts.train] == [[0], [0]]
    assert outside(dataset, parts.test) == {(1, 2)}


def test_no_held_out_explanation_leaks() -> None:
    """Held-out pairs are out of the training graph; the pairs taken out are told."""
    dataset = explained_everything()
    parts = split(dataset, SplitConfig())
    assert dataset.explanations is not None
    held_out = np.concatenate([parts.valid_explanations, parts.test_explanations])
    pairs = dataset.explanations.pairs.take(held_out)

    assert len(held_out) > 50
    assert not outside(dataset, parts.train) & outside(dataset, pairs)
    assert outside(dataset, parts.removed) == outside(dataset, pairs)
    assert parts.train.num_pairs + parts.removed.num_pairs == len(dataset.interactions)


def test_parts_that_are_written_down_make_the_same_split() -> None:
    """Interactions with the parts that `parts_of` gives them split as they do without: likes, dislikes, repeats."""
    random = np.random.default_rng(0)
    pairs = [(int(user), int(item)) for user, item in random.integers(0, 12, (400, 2))]
    ratings, times = random.integers(1, 6, 400).tolist(), random.integers(0, 50, 400).tolist()
    config = SplitConfig(seed=2, valid_share=0.2, test_share=0.2)
    for timestamps in (times, None):
        dataset = dataset_of(pairs, ratings=ratings, timestamps=timestamps)
        parts = parts_of(dataset.interactions, dataset.num_items, config)
        written = dataset_of(
            pairs, ratings=ratings, timestamps=timestamps, splits=[SPLITS[part] for part in parts.tolist()]
        )
        one, other = split(dataset, config), split(written, config)
        for name in ("train", "valid", "test", "disliked"):
            for column, expected in zip(getattr(one, name), getattr(other, name), strict=True):
                np.testing.assert_array_equal(column, expected)
        assert all(getattr(one, name).num_pairs for name in ("train", "valid", "test", "disliked"))


def test_held_out_explanations_are_of_items_without_a_training_explanation() -> None:
    """The three parts share no item, and together they are all explanations."""
    dataset = explained_everything()
    parts = split(dataset, SplitConfig())
    assert dataset.explanations is not None
    train, valid, test = (
        set(dataset.explanations.items[positions].tolist())
        for positions in (parts.train_explanations, parts.valid_explanations, parts.test_explanations)
    )

    assert min(len(train), len(valid), len(test)) > 0
    assert len(train | valid | test) == len(train) + len(valid) + len(test)
    assert {TRAIN, VALID, TEST} == set(parts.item_roles.tolist())
    total = sum(map(len, (parts.train_explanations, parts.valid_explanations, parts.test_explanations)))
    assert total == len(dataset.explanations)


def test_an_items_role_is_the_same_in_another_extract() -> None:
    """Rows that come later fall on the side on which they would have stood; shares hold within chance."""
    config = SplitConfig(seed=3)
    few, many = dataset_of([(1, item) for item in (5, 700, 41)]), dataset_of([(1, item) for item in range(2000)])
    roles = item_roles(many.item_ids, config)

    assert item_roles(few.item_ids, config).tolist() == [roles[5], roles[41], roles[700]]
    assert 0.17 < float(np.mean(roles == TEST)) < 0.23
    assert 0.08 < float(np.mean(roles == VALID)) < 0.12


def test_rows_of_another_file_are_held_out_too() -> None:
    """Hidden rows may be named beforehand."""
    dataset = dataset_of([(1, 1), (1, 2)], splits=["train", "train"])
    hidden = Pairs(np.array([0]), np.array([1]))

    parts = split(dataset, SplitConfig(), also_held_out=[hidden])

    assert outside(dataset, parts.train) == {(1, 1)}
    assert outside(dataset, parts.removed) == {(1, 2)}


def test_a_leak_is_an_error_that_lists_the_pairs() -> None:
    """With outside ids, each pair once; no leak, no error."""
    dataset = dataset_of([(1, 10), (1, 20), (2, 10)])
    log = dataset.interactions.pairs
    evaluated = Pairs(np.array([0, 1, 1, 0]), np.array([1, 0, 0, 1]))

    with pytest.raises(LeakError, match="2 evaluated") as caught:
        check_leaks(log, evaluated, dataset.user_ids, dataset.item_ids)
    assert caught.value.pairs == ((1, 20), (2, 10))
    check_leaks(log, Pairs(np.array([1]), np.array([1])), dataset.user_ids, dataset.item_ids)


def test_an_empty_dataset_part_does_no_harm() -> None:
    """A data set in which nothing is liked has an empty split."""
    parts = split(dataset_of([(1, 1)], ratings=[1], timestamps=[5]), SplitConfig())

    assert (parts.train.num_pairs, parts.test.num_pairs, parts.disliked.num_pairs) == (0, 0, 1)


@pytest.fixture(scope="module", params=["yelp", "google"])
def real(request: pytest.FixtureRequest) -> tuple[Dataset, Split]:
    """The shared data and its split; skips, saying so, where it is not."""
    if not (SHARED / request.param).is_dir():
        pytest.skip(f"the shared data set ../shared/data/xrec/{request.param} is not here")
    dataset = read_xrec(SHARED / request.param)
    return dataset, split(dataset, SplitConfig())


def test_four_of_five_real_explanations_would_leak(real: tuple[Dataset, Split]) -> None:
    """As published, 76 to 84 % of the held-out pairs stand in the training graph; after the split none does."""
    dataset, parts = real
    assert dataset.explanations is not None
    held_out = np.concatenate([parts.valid_explanations, parts.test_explanations])
    pairs = dataset.explanations.pairs.take(held_out)

    assert 0.76 < parts.removed.num_pairs / len(held_out) < 0.84
    check_leaks(parts.train, pairs, dataset.user_ids, dataset.item_ids)
    with pytest.raises(LeakError):
        check_leaks(dataset.interactions.pairs, pairs, dataset.user_ids, dataset.item_ids)
