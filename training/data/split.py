"""The leak-free split: what a model may learn from, and what it is judged on.

Interactions: the data's own split where it has one; else the latest ones (each user's, or of all) where it has times;
else at random.
Explanations: by item, so that no held-out row's item has an explanation to train on. Every held-out explanation pair
is taken out of the training interactions: 78-81 % of XRec's test pairs stand in its training graph (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_store.id_map import IdMap
from training.data.dataset import Dataset, Explanations, Interactions, Pairs, Rows
from training.data.errors import LeakError

TRAIN: Final = 0
VALID: Final = 1
TEST: Final = 2

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class SplitConfig:
    """What is held out."""

    seed: int = 0
    """Of random splits and of the choice of held-out items."""
    min_rating: float = 4.0
    """Lowest rating that counts as liking; without effect on data that has no ratings."""
    valid_share: float = 0.1
    """Of each user's liked interactions, where the data brings no split of its own."""
    test_share: float = 0.1
    """The same for the test part: the latest, where the data has times."""
    valid_item_share: float = 0.1
    """Of all items: their explanations choose a model but never train one."""
    test_item_share: float = 0.2
    """Of all items: their explanations only judge a model."""
    by: Literal["user", "time", "random"] = "user"
    """Where the data has times but no split of its own, held out are each user's latest likes (user), the latest of all
    (time: whoever has likes only after that moment is not judged), or any (random). Without times: any."""


@dataclass(frozen=True, eq=False)
class Split:
    """Pairs of liked (user, item) rows, each pair once over all three parts, and the roles of explanations.

    `train_explanations` and so on are positions in `dataset.explanations`, empty where there are none.
    `item_roles` (num_items,) uint8 is TRAIN, VALID or TEST: the part to which an item's explanations belong.
    `removed` were training pairs until they were held out with their explanations: a ranking may leave them out of its
    candidates, like `train` and `disliked` (rated under `min_rating`, before the user's first held-out interaction).
    """

    train: Pairs
    valid: Pairs
    test: Pairs
    removed: Pairs
    disliked: Pairs
    item_roles: NDArray[np.uint8]
    train_explanations: Rows
    valid_explanations: Rows
    test_explanations: Rows


def split(dataset: Dataset, config: SplitConfig, *, also_held_out: Iterable[Pairs] = ()) -> Split:
    """The split of a data set: the same for the same data, config and `also_held_out`.

    `also_held_out` are further pairs to be evaluated (rows of other files): they leave the training part too.
    """
    roles = item_roles(dataset.item_ids, config)
    explanation_roles = _roles_of(dataset.explanations, roles)
    held_out = [*also_held_out]
    if dataset.explanations is not None:
        held_out.append(dataset.explanations.pairs.take(explanation_roles != TRAIN))
    log, liked = dataset.interactions, _liked(dataset.interactions, config)
    log_parts = parts_of(log, dataset.num_items, config) if log.splits is None else log.splits
    pairs, parts, _ = _first_of_each(log.pairs.take(liked), log_parts[liked], dataset.num_items)
    in_train = parts == TRAIN
    removed = in_train & _stand_in(pairs, held_out, dataset.num_items)
    return Split(
        train=pairs.take(in_train & ~removed),
        valid=pairs.take(parts == VALID),
        test=pairs.take(parts == TEST),
        removed=pairs.take(removed),
        disliked=log.pairs.take(~liked & (log_parts == TRAIN)),
        item_roles=roles,
        train_explanations=np.flatnonzero(explanation_roles == TRAIN),
        valid_explanations=np.flatnonzero(explanation_roles == VALID),
        test_explanations=np.flatnonzero(explanation_roles == TEST),
    )


def item_roles(item_ids: IdMap, config: SplitConfig) -> NDArray[np.uint8]:
    """TRAIN, VALID or TEST of every item, (num_items,) uint8.

    A role depends on nothing but the item's outside id, the seed and the shares, so that it is the same in another
    extract of the data, and rows that come later fall on the side on which they would have stood.
    """
    chances = np.array([_chance(item_id, config.seed) for item_id in item_ids.ids])
    roles = np.full(len(chances), TRAIN, np.uint8)
    roles[chances < config.test_item_share + config.valid_item_share] = VALID
    roles[chances < config.test_item_share] = TEST
    return roles


def held_out_nodes(ids: IdMap, share: float, seed: int) -> NDArray[np.bool_]:
    """Which nodes a zero-shot evaluation leaves out of everything that is trained, (len(ids),) bool: about this share.

    As with roles, it depends on nothing but the outside id, the seed and the share; it is independent of roles.
    """
    return np.array([_chance(outside_id, f"zero-shot {seed}") for outside_id in ids.ids]) < share


def check_leaks(train: Pairs, evaluated: Pairs, user_ids: IdMap, item_ids: IdMap) -> None:
    """LeakError with the outside ids of every evaluated pair that stands in `train`; silence if there is none."""
    leaked = evaluated.take(_stand_in(evaluated, [train], len(item_ids)))
    if leaked.num_pairs:
        pairs = zip(leaked.users.tolist(), leaked.items.tolist(), strict=True)
        raise LeakError([(user_ids.to_id(user), item_ids.to_id(item)) for user, item in dict.fromkeys(pairs)])


def _chance(outside_id: int | str, seed: int | str) -> float:
    """A number in [0, 1) that is the id's own under this seed."""
    digest = blake2b(f"{seed}:{outside_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def _roles_of(explanations: Explanations | None, roles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return roles[:0] if explanations is None else roles[explanations.items]


def _stand_in(pairs: Pairs, others: Iterable[Pairs], num_items: int) -> NDArray[np.bool_]:
    """Which of the pairs are among the others, (num_pairs,) bool."""
    keys = [other.keys(num_items) for other in others]
    return np.isin(pairs.keys(num_items), np.concatenate(keys) if keys else np.zeros(0, np.int64))


def parts_of(log: Interactions, num_items: int, config: SplitConfig) -> NDArray[np.uint8]:
    """TRAIN, VALID or TEST of every interaction, (n,) uint8: by time where the data has times, else at random.

    A pair that comes more than once is in one part, that of its earliest liking. What was not liked is in TRAIN up to
    the user's first held-out interaction and in TEST, where nothing reads it, from then on.
    """
    liked, timestamps = _liked(log, config), None if config.by == "random" else log.timestamps
    of_pair = np.zeros(int(liked.sum()), np.int64) if timestamps is None else timestamps[liked]
    pairs, times, positions = _first_of_each(log.pairs.take(liked), of_pair, num_items)
    owners = pairs.users
    if timestamps is None:
        order = np.random.default_rng(config.seed).permutation(pairs.num_pairs)
    else:
        order = np.lexsort((pairs.items, times))
        owners = np.zeros_like(owners) if config.by == "time" else owners  # by time: as if all were one user's
    held_out = _latest_held_out(owners, order, config)
    parts = np.full(len(log), TRAIN, np.uint8)
    parts[liked] = held_out[positions]
    if timestamps is not None and len(log):
        horizon = np.full(int(log.users.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(horizon, pairs.users[held_out != TRAIN], times[held_out != TRAIN])
        parts[~liked & (timestamps >= horizon[log.users])] = TEST
    return parts


def _liked(log: Interactions, config: SplitConfig) -> NDArray[np.bool_]:
    return np.ones(len(log), bool) if log.ratings is None else log.ratings >= config.min_rating


def _first_of_each(pairs: Pairs, values: NDArray[Value], num_items: int) -> tuple[Pairs, NDArray[Value], Rows]:
    """Every pair once, ordered by user, then item, with its smallest value: the earliest time, the earliest part.

    The last is where each of the given pairs went, (num_pairs,).
    """
    keys = pairs.keys(num_items)
    order = np.lexsort((values, keys))
    keys = keys[order]
    is_first = np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]
    positions = np.empty(len(keys), np.int64)
    positions[order] = np.cumsum(is_first) - 1
    first = order[is_first]
    return pairs.take(first), values[first], positions


def _latest_held_out(users: Rows, order: Rows, config: SplitConfig) -> NDArray[np.uint8]:
    """Parts of pairs: of each user's, in `order`, the last `test_share` are TEST and those before them VALID."""
    by_user = order[np.argsort(users[order], kind="stable")]
    counts = np.bincount(users)
    starts = np.cumsum(counts) - counts
    owner = users[by_user]
    from_end = counts[owner] - (np.arange(len(users)) - starts[owner])  # 1 for a user's last
    num_test = np.round(counts * config.test_share)[owner]
    num_valid = np.round(counts * config.valid_share)[owner]
    parts = np.full(len(users), TRAIN, np.uint8)
    parts[by_user[from_end <= num_test + num_valid]] = VALID
    parts[by_user[from_end <= num_test]] = TEST
    return parts
