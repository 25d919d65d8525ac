"""Staged ids -> rows, as training.data.ids makes them: ascending, integers where all are written as integers."""

from __future__ import annotations

from typing import Final

import numpy as np

from training.data.dataset import Interactions
from training.data.errors import DatasetError
from training.data.ids import INTEGER
from training.data.imports.database import Database, text_literal
from training.data.imports.records import LINE
from training.data.imports.staging import Staging

KEYS: Final = ("user_id", "item_id")
SQL_ID_TYPES: Final = {True: "BIGINT", False: "VARCHAR"}


def number_ids(staging: Staging) -> None:
    """Make the tables user_ids and item_ids (id, row), and `log` of the interactions: user_row, item_row and the rest.

    The staged interactions are gone then. DatasetError where one file has integer ids and another strings, where
    there is no interaction, and where no item of the catalogue is in any.
    """
    database = staging.database
    for key in KEYS:
        sql_type = SQL_ID_TYPES[_are_integers(staging, key)]
        tables = [table for table, columns in staging.columns.items() if key in columns]
        every = " UNION ALL ".join(f"SELECT {key} FROM {table}" for table in tables)
        distinct = f"SELECT DISTINCT CAST({key} AS {sql_type}) AS id FROM ({every})"
        row = "CAST(row_number() OVER (ORDER BY id) - 1 AS INTEGER) AS row"
        database.rows(f"CREATE TABLE {key}s AS SELECT id, {row} FROM ({distinct})")
    others = [name for name in staging.columns["interactions"] if name not in KEYS]
    named = ", ".join(["u.row AS user_row", "i.row AS item_row", *others])
    joined = "interactions l JOIN user_ids u ON l.user_id = CAST(u.id AS VARCHAR)"
    joined += " JOIN item_ids i ON l.item_id = CAST(i.id AS VARCHAR)"
    database.rows(f"CREATE TABLE log AS SELECT {named} FROM {joined} ORDER BY source, {LINE}")
    _refuse_strangers(staging)
    database.rows("DROP TABLE interactions")


def interactions_of(database: Database, columns: list[str]) -> Interactions:
    """The table log with what it has of these columns (rating, timestamp, split), in its own order."""
    found = database.arrays(f"SELECT {', '.join(['user_row', 'item_row', *columns])} FROM log")
    return Interactions(
        found["user_row"].astype(np.int64),
        found["item_row"].astype(np.int64),
        found.get("rating"),
        found.get("timestamp"),
        found.get("split"),
    )


def _are_integers(staging: Staging, key: str) -> bool:
    types = staging.id_types[key]
    untyped = [number for number, kind in types.items() if kind == "untyped"]
    integers = "text" not in types.values() and all(_written_as_integers(staging, number, key) for number in untyped)
    if not integers and "integer" in types.values():
        number = next(number for number, kind in types.items() if kind == "integer")
        raise DatasetError(staging.sources[number].file, None, key, "string ids, as in the other files", "integers")
    return integers


def _written_as_integers(staging: Staging, number: int, key: str) -> bool:
    matches = f"bool_and(regexp_full_match({key}, {text_literal(INTEGER)}))"
    ((integers,),) = staging.database.rows(
        f"SELECT coalesce({matches}, true) FROM {staging.sources[number].table} WHERE source = {number}"
    )
    return bool(integers)


def _refuse_strangers(staging: Staging) -> None:
    ((count,),) = staging.database.rows("SELECT count(*) FROM log")
    log = next(source for source in staging.sources if source.table == "interactions")
    if not count:
        raise DatasetError(log.file, None, None, "at least one interaction")
    items = next((source for source in staging.sources if source.table == "items"), None)
    known = "SELECT first(item_id), bool_or(item_id IN (SELECT item_id FROM interactions)) FROM items"
    if items is not None and (found := staging.database.rows(known)[0])[1] is False:
        raise DatasetError(items.file, None, "item_id", "ids that also stand in the interactions", found[0])
