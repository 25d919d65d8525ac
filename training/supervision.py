"""Explanation targets for data that has none, true by construction.

The first part of a target says what the user prefers (facts that come more often among their training likes than among
everybody's) and by which past items one knows; the second what the item brings that meets it. Nothing is stated that
is not a fact of the item or of the training likes, and every statement stands beside the text, with its support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset, Explanations, ItemTable, Pairs, Rows
from training.data.split import TEST, TRAIN, VALID, Split
from training.facts import FactTable, TasteConfig, Tastes
from training.phrasing import Wording
from training.target_content import Narrator
from training.target_text import Statement, compose


@dataclass(frozen=True)
class SupervisionConfig:
    """How many targets, and what may be said in them."""

    seed: int = 0
    """Of the sample of pairs and of the choice of phrasings."""
    max_train_pairs: int = 12_000
    """Liked training pairs that get a target."""
    max_held_out_pairs: int = 600
    """The same for the valid and for the test part, each."""
    one: str = "an item"
    """What one item is called ("a film")."""
    several: str = "items"
    """The same for several ("films")."""
    taste: TasteConfig = field(default_factory=TasteConfig)
    """What counts as a preference."""


@dataclass(frozen=True)
class Target:
    """The text that explains an item to a user, and all that it states."""

    user_row: int
    item_row: int
    text: str
    stated: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class Supervision:
    """Targets of a data set without explanations, in the form of one with: `explanations` row i is targets[i].

    `train`, `valid`, `test` are positions. Held-out pairs are no training pairs, and their items have no training
    target, as with explanations that people wrote.
    """

    targets: tuple[Target, ...]
    explanations: Explanations
    train: Rows
    valid: Rows
    test: Rows


def supervise(dataset: Dataset, parts: Split, config: SupervisionConfig) -> Supervision:
    """Targets for a sample of the split's liked pairs: the same for the same data, split and config."""
    pairs = [
        _sample(parts.train, parts.item_roles == TRAIN, config.max_train_pairs, config.seed),
        _sample(parts.valid, parts.item_roles == VALID, config.max_held_out_pairs, config.seed),
        _sample(parts.test, parts.item_roles == TEST, config.max_held_out_pairs, config.seed),
    ]
    every = Pairs(np.concatenate([part.users for part in pairs]), np.concatenate([part.items for part in pairs]))
    targets = build_targets(dataset, parts.train, every, config)
    ends = np.cumsum([part.num_pairs for part in pairs])
    train, valid, test = np.split(np.arange(every.num_pairs), ends[:-1])
    return Supervision(tuple(targets), _as_explanations(dataset.items, targets), train, valid, test)


def build_targets(dataset: Dataset, train: Pairs, pairs: Pairs, config: SupervisionConfig) -> list[Target]:
    """The target of every pair, in their order, from the training likes `train` and the items' facts.

    A pair that stands in `train` is explained as if it did not.
    """
    table = FactTable.of_items(dataset.items)
    tastes = Tastes(table, train, dataset.num_users, config.taste)
    narrator = Narrator(dataset.items, tastes)
    wording = Wording(config.one, config.several)
    targets: dict[int, Target] = {}
    order = np.argsort(pairs.users, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(pairs.users[order])) + 1)
    for positions in groups:
        user_row = int(pairs.users[positions[0]]) if len(positions) else 0
        for position, content in zip(positions, narrator.of_user(user_row, pairs.items[positions]), strict=True):
            item_row = int(pairs.items[position])
            number = _number(config.seed, dataset.user_ids.to_id(user_row), dataset.item_ids.to_id(item_row))
            draft = compose(content, wording, number)
            targets[int(position)] = Target(user_row, item_row, draft.text, draft.stated)
    return [targets[position] for position in range(pairs.num_pairs)]


def _number(seed: int, user_id: int | str, item_id: int | str) -> int:
    """The pair's own number: neither the order of pairs nor the rest of the data changes its phrasing."""
    return int.from_bytes(blake2b(f"{seed}:{user_id}:{item_id}".encode(), digest_size=8).digest(), "little")


def _sample(pairs: Pairs, wanted_items: NDArray[np.bool_], count: int, seed: int) -> Pairs:
    chosen = np.flatnonzero(wanted_items[pairs.items])
    if len(chosen) > count:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, count, replace=False))
    return pairs.take(chosen)


def _as_explanations(items: ItemTable, targets: Sequence[Target]) -> Explanations:
    return Explanations(
        users=np.array([target.user_row for target in targets], np.int64),
        items=np.array([target.item_row for target in targets], np.int64),
        texts=tuple(target.text for target in targets),
        extra={"title": tuple(items.titles[target.item_row] for target in targets)},
    )
