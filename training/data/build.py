"""Canonical tables with outside ids -> Dataset with rows. Every reader ends here, so that all are checked alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from model_store.id_map import IdMap
from model_store.string_table import StringTable
from training.data.dataset import SPLITS, Dataset, Explanations, Interactions, ItemTable, Rows
from training.data.errors import DatasetError
from training.data.ids import CommonIds, common_ids
from training.data.table import Table

KEY_COLUMNS: Final = ("user_id", "item_id", "text")
NO_TERMS: Final = "No terms are stated beside this data set: ask whoever gave it to you.\n"

Lists = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Tables:
    """The canonical tables (training.data.canonical says their columns); the last three may be absent."""

    interactions: Table
    items: Table | None = None
    users: Table | None = None
    explanations: Table | None = None


def build_dataset(name: str, tables: Tables, *, terms: str = NO_TERMS) -> Dataset:
    """The data set of the tables. DatasetError names the file, row and column that are not as they should be."""
    log, items, users, texts = tables.interactions, tables.items, tables.users, tables.explanations
    if not len(log):
        raise DatasetError(log.file, None, None, "at least one interaction")
    user_ids = common_ids("user", [table for table in (log, users, texts) if table is not None])
    item_ids = common_ids("item", [table for table in (log, items, texts) if table is not None])
    item_map, interactions = item_ids.to_map(), _interactions(log, user_ids, item_ids)
    return Dataset(
        name=name,
        terms=terms,
        user_ids=user_ids.to_map(),
        item_ids=item_map,
        interactions=interactions,
        items=_item_table(items, item_ids, item_map, interactions.items),
        user_texts=None if users is None or "text" not in users else _user_texts(users, user_ids),
        user_groups=None if users is None or "groups" not in users else _user_groups(users, user_ids),
        explanations=None if texts is None else _explanations(texts, user_ids, item_ids),
    )


def placeholder_title(item_id: int | str) -> str:
    """The title of an item that the data names nowhere."""
    return f"item {item_id}"


def _interactions(log: Table, user_ids: CommonIds, item_ids: CommonIds) -> Interactions:
    ratings = log.numbers("rating")
    return Interactions(
        users=user_ids.rows_of(log),
        items=item_ids.rows_of(log),
        ratings=None if ratings is None else ratings.astype(np.float32),
        timestamps=log.seconds("timestamp"),
        splits=log.choices("split", SPLITS),
    )


def _item_table(items: Table | None, item_ids: CommonIds, ids: IdMap, seen: Rows) -> ItemTable:
    if items is None:
        blank, none = [""] * len(ids), ((),) * len(ids)
        return ItemTable(ids, _titles(blank, item_ids), StringTable.from_strings(blank), none, none)
    rows = item_ids.rows_of(items, unique=True)
    _refuse_strangers(items, rows, seen)
    return ItemTable(
        ids=ids,
        titles=_titles(_by_row(items.texts("title"), rows, len(ids)), item_ids),
        texts=StringTable.from_strings(_by_row(items.texts("text"), rows, len(ids))),
        categories=_lists_by_row(items.lists("categories"), rows, len(ids)),
        facts=_lists_by_row(items.lists("facts"), rows, len(ids)),
    )


def _user_texts(users: Table, user_ids: CommonIds) -> StringTable:
    return StringTable.from_strings(_by_row(users.texts("text"), user_ids.rows_of(users, unique=True), user_ids.count))


def _user_groups(users: Table, user_ids: CommonIds) -> Lists:
    return _lists_by_row(users.lists("groups"), user_ids.rows_of(users, unique=True), user_ids.count)


def _explanations(texts: Table, user_ids: CommonIds, item_ids: CommonIds) -> Explanations:
    extra = {name: tuple(texts.texts(name) or ()) for name in texts.text_columns if name not in KEY_COLUMNS}
    return Explanations(user_ids.rows_of(texts), item_ids.rows_of(texts), tuple(texts.required_texts("text")), extra)


def _refuse_strangers(items: Table, rows: Rows, seen: Rows) -> None:
    """Two catalogues that share no id ("42" and "B0042") would pass every other check and teach nothing."""
    if len(items) and not np.isin(rows, seen).any():
        first = items.ids("item_id")[0].as_py()
        raise DatasetError(items.file, None, "item_id", "ids that also stand in the interactions", first)


def _titles(titles: Iterable[str], item_ids: CommonIds) -> StringTable:
    ids = item_ids.values.to_pylist()
    return StringTable.from_strings(
        title or placeholder_title(item_id) for title, item_id in zip(titles, ids, strict=True)
    )


def _by_row(values: list[str | None] | None, rows: Rows, count: int) -> list[str]:
    placed = [""] * count
    for row, value in zip(rows.tolist(), values or [], strict=values is not None):
        placed[row] = (value or "").strip()
    return placed


def _lists_by_row(values: list[tuple[str, ...]], rows: Rows, count: int) -> Lists:
    placed: list[tuple[str, ...]] = [()] * count
    for row, value in zip(rows.tolist(), values, strict=True):
        placed[row] = value
    return tuple(placed)
