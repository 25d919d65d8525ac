"""Staged tables -> the Parquet files of a canonical folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from training.data.dataset import SPLITS
from training.data.imports.database import Database, quote, text_literal
from training.data.imports.k_core import Core
from training.data.imports.records import LINE
from training.data.imports.staging import Staging

KEYS = ("user_id", "item_id")


@dataclass(frozen=True, eq=False)
class Kept:
    """What of the staged tables is written. Shapes: interactions (n,) bool and parts (n,) uint8, both as `log` is."""

    interactions: NDArray[np.bool_]
    parts: NDArray[np.uint8] | None
    core: Core | None


def write_tables(staging: Staging, kept: Kept, folder: Path) -> None:
    """The files interactions, items, users and explanations, as far as they are there."""
    _write_log(staging, kept, folder / "interactions.parquet")
    for table, keys in (("items", KEYS[1:]), ("users", KEYS[:1]), ("explanations", KEYS)):
        if table in staging.columns:
            _write_table(staging, table, keys, kept.core, folder / f"{table}.parquet")


def _write_log(staging: Staging, kept: Kept, file: Path) -> None:
    """Batch by batch: ids take the place of rows, and what was found out of the rows is put beside them."""
    database = staging.database
    ids = {key: _ids(database, key) for key in KEYS}
    parts = pa.array(SPLITS)
    others = [name for name in staging.columns["interactions"] if name not in (*KEYS, "split")]
    reader = database.batches(f"SELECT {', '.join(['user_row', 'item_row', *others])} FROM log")
    fields = [pa.field(key, ids[key].type) for key in KEYS] + [reader.schema.field(name) for name in others]
    fields += [] if kept.parts is None else [pa.field("split", pa.string())]
    at = 0
    with pyarrow.parquet.ParquetWriter(file, pa.schema(fields)) as writer:
        for batch in reader:
            here = slice(at, at + len(batch))
            at += len(batch)
            columns = [ids["user_id"].take(batch.column(0)), ids["item_id"].take(batch.column(1)), *batch.columns[2:]]
            if kept.parts is not None:
                columns.append(parts.take(pa.array(kept.parts[here])))
            whole = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
            writer.write_batch(whole.filter(pa.array(kept.interactions[here])))


def _write_table(staging: Staging, table: str, keys: tuple[str, ...], core: Core | None, file: Path) -> None:
    """One row an id where there is one key, in the ids' order; else in the order of the files."""
    members = {} if core is None else {"user_id": core.users, "item_id": core.items}
    joins, views = "", {}
    for key in keys:
        joins += f" JOIN {key}s ON t.{key} = CAST({key}s.id AS VARCHAR)"
        if key in members:
            joins += f" SEMI JOIN {key}_core ON {key}s.row = {key}_core.row"
            views[f"{key}_core"] = pa.table({"row": np.flatnonzero(members[key])})
    others = [f"t.{quote(name)}" for name in staging.columns[table] if name not in keys]
    selected = ", ".join([*(f"{key}s.id AS {key}" for key in keys), *others])
    order = f"{keys[0]}s.row" if len(keys) == 1 else f"t.source, t.{LINE}"
    query = f"SELECT {selected} FROM {table} t{joins} ORDER BY {order}"
    staging.database.rows(f"COPY ({query}) TO {text_literal(file)} (FORMAT parquet)", **views)


def _ids(database: Database, key: str) -> pa.Array:
    return database.table(f"SELECT id FROM {key}s ORDER BY row").column("id").combine_chunks()
