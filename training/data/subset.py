"""A data set and its split without some of its users or items, as if they had never been there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.id_map import IdMap
from model_store.string_table import StringTable
from training.data.dataset import Dataset, Explanations, Interactions, ItemTable, Pairs, Rows
from training.data.split import Split

Mask = NDArray[np.bool_]

GONE = -1


class Subset(NamedTuple):
    """What is left: rows are counted anew, in the old order."""

    dataset: Dataset
    split: Split


def subset(dataset: Dataset, parts: Split, *, users: Mask | None = None, items: Mask | None = None) -> Subset:
    """The users and items where the masks are true (all unless given), and what happened among them.

    Pairs keep their part. Shapes: users (num_users,), items (num_items,).
    """
    kept_users = np.ones(dataset.num_users, bool) if users is None else users
    kept_items = np.ones(dataset.num_items, bool) if items is None else items
    rows = _Rows(_new_rows(kept_users), _new_rows(kept_items))
    item_ids = _ids(dataset.item_ids, kept_items)
    explanations = dataset.explanations
    left = replace(
        dataset,
        user_ids=_ids(dataset.user_ids, kept_users),
        item_ids=item_ids,
        interactions=_interactions(dataset.interactions, rows),
        items=_items(dataset.items, item_ids, np.flatnonzero(kept_items)),
        user_texts=None if dataset.user_texts is None else _strings(dataset.user_texts, np.flatnonzero(kept_users)),
        user_groups=None if dataset.user_groups is None else _at(dataset.user_groups, np.flatnonzero(kept_users)),
        explanations=None if explanations is None else _explanations(explanations, rows),
    )
    return Subset(left, _split(parts, rows, kept_items, explanations))


class _Rows(NamedTuple):
    """New row of every old one, GONE for what is left out."""

    users: Rows
    items: Rows

    def kept(self, pairs: Pairs) -> Mask:
        """Which of the pairs are still there, (num_pairs,)."""
        kept: Mask = (self.users[pairs.users] != GONE) & (self.items[pairs.items] != GONE)
        return kept

    def of(self, pairs: Pairs) -> Pairs:
        """Those that are still there, in new rows."""
        left = pairs.take(self.kept(pairs))
        return Pairs(self.users[left.users], self.items[left.items])


def _new_rows(kept: Mask) -> Rows:
    return np.where(kept, np.cumsum(kept) - 1, GONE).astype(np.int64)


def _ids(ids: IdMap, kept: Mask) -> IdMap:
    return IdMap.from_ids([ids.to_id(int(row)) for row in np.flatnonzero(kept)], kind=ids.kind)


def _at(values: tuple[tuple[str, ...], ...], rows: Rows) -> tuple[tuple[str, ...], ...]:
    return tuple(values[row] for row in rows.tolist())


def _strings(table: StringTable, rows: Rows) -> StringTable:
    return StringTable.from_strings(table[row] for row in rows.tolist())


def _items(items: ItemTable, ids: IdMap, rows: Rows) -> ItemTable:
    titles, texts = _strings(items.titles, rows), _strings(items.texts, rows)
    return ItemTable(ids, titles, texts, _at(items.categories, rows), _at(items.facts, rows))


def _interactions(log: Interactions, rows: _Rows) -> Interactions:
    kept, left = rows.kept(log.pairs), rows.of(log.pairs)
    ratings, timestamps, splits = log.ratings, log.timestamps, log.splits
    return Interactions(
        left.users,
        left.items,
        None if ratings is None else ratings[kept],
        None if timestamps is None else timestamps[kept],
        None if splits is None else splits[kept],
    )


def _explanations(explanations: Explanations, rows: _Rows) -> Explanations:
    left = explanations.take(np.flatnonzero(rows.kept(explanations.pairs)))
    return replace(left, users=rows.users[left.users], items=rows.items[left.items])


def _split(parts: Split, rows: _Rows, kept_items: Mask, explanations: Explanations | None) -> Split:
    kept = np.zeros(0, bool) if explanations is None else rows.kept(explanations.pairs)
    positions = _new_rows(kept)

    def explained(old: Rows) -> Rows:
        left: Rows = positions[old[kept[old]]]
        return left

    return Split(
        train=rows.of(parts.train),
        valid=rows.of(parts.valid),
        test=rows.of(parts.test),
        removed=rows.of(parts.removed),
        disliked=rows.of(parts.disliked),
        item_roles=parts.item_roles[kept_items],
        train_explanations=explained(parts.train_explanations),
        valid_explanations=explained(parts.valid_explanations),
        test_explanations=explained(parts.test_explanations),
    )
