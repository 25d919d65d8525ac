"""Staging: the tables of an import, checked row by row, under canonical column names and with ids still as text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from training.data.errors import DatasetError
from training.data.imports.complaints import Complaints
from training.data.imports.database import Database, quote
from training.data.imports.mapping import Kind
from training.data.imports.records import LINE
from training.data.imports.source import Source
from training.data.imports.statements import PROBLEM, SQL_TYPES, check_statement, staged_columns

CATALOGUES: Final = {"items": "item_id", "users": "user_id"}
"""Tables in which every id comes once."""
IdType = Literal["integer", "text", "untyped"]


class Staging:
    """Tables in a database, each with `source` (the number of the file) and `line`: the order of everything."""

    def __init__(self, database: Database, complaints: Complaints) -> None:
        self.database = database
        self.columns: dict[str, dict[str, Kind]] = {}
        """Canonical columns of every table that is there."""
        self.id_types: dict[str, dict[int, IdType]] = {"user_id": {}, "item_id": {}}
        """How the files (by number) write their ids."""
        self.sources: list[Source] = []
        self._complaints = complaints

    def load(self, source: Source, on_rows: Callable[[int], None]) -> None:
        """Stage the rows of a file; those that are not as they should be are complained of and left out.

        DatasetError where its columns are not those of the table's other files, or of the wrong type.
        """
        number = len(self.sources)
        self.sources.append(source)
        self._create(source)
        complain = partial(self._complaints.add, source)
        for batch in source.read(complain):
            self._note_id_types(number, batch.schema)
            view = pa.table(batch)
            checked = self.database.table(check_statement(source, batch.schema, "view"), view=view)
            bad = checked.filter(pc.is_valid(checked.column(PROBLEM)))
            for line, problem in zip(bad.column(LINE).to_pylist(), bad.column(PROBLEM).to_pylist(), strict=True):
                complain(line, problem)
            good = f"SELECT {number}, * EXCLUDE ({PROBLEM}) FROM checked WHERE {PROBLEM} IS NULL"
            self.database.rows(f"INSERT INTO {source.table} {good}", checked=checked)
            on_rows(len(batch))

    def drop_repeated(self) -> None:
        """Of rows of one item (or user) keep the first, and complain of the others."""
        for table, key in CATALOGUES.items():
            if table not in self.columns:
                continue
            first = f"row_number() OVER (PARTITION BY {key} ORDER BY source, {LINE}) = 1"
            self.database.rows(
                f"CREATE TABLE repeated AS SELECT source, {LINE}, {key} FROM {table} QUALIFY NOT ({first})"
            )
            for number, line, found in self.database.rows(f"FROM repeated ORDER BY source, {LINE}"):
                self._complaints.add(
                    self.sources[number], line, f"column {key!r}: expected every id once, found {found!r}"
                )
            self.database.rows(
                f"DELETE FROM {table} USING repeated r WHERE {table}.source = r.source AND {table}.{LINE} = r.{LINE}"
            )
            self.database.rows("DROP TABLE repeated")

    def fill_items_from_explanations(self) -> None:
        """Titles and, where there is no catalogue, texts as explanation rows tell them (`title`, `item_profile`)."""
        told = self.columns["explanations"]
        if "items" not in self.columns:
            named = {"title": "title", "text": "item_profile"}
            columns = {name: column for name, column in named.items() if column in told}
            values = ", ".join(f"first({column} ORDER BY source, {LINE}) AS {name}" for name, column in columns.items())
            first = f"min(source) AS source, min({LINE}) AS {LINE}, item_id"
            self.database.rows(
                f"CREATE TABLE items AS SELECT {', '.join([first, values])} FROM explanations GROUP BY item_id"
            )
            self.columns["items"] = {"item_id": "id", **dict.fromkeys(columns, "text")}
        elif "title" in told:
            if "title" not in self.columns["items"]:
                self.database.rows("ALTER TABLE items ADD COLUMN title VARCHAR")
                self.columns["items"]["title"] = "text"
            last = f"SELECT item_id, last(title ORDER BY source, {LINE}) AS title FROM explanations GROUP BY item_id"
            self.database.rows(
                f"UPDATE items SET title = told.title FROM ({last}) told "
                "WHERE items.title IS NULL AND items.item_id = told.item_id"
            )

    def _create(self, source: Source) -> None:
        kinds = staged_columns(source)
        known = self.columns.setdefault(source.table, kinds)
        if known is kinds:
            columns = "".join(f", {quote(name)} {SQL_TYPES[kind]}" for name, kind in kinds.items())
            self.database.rows(f"CREATE TABLE {source.table} (source INTEGER, {LINE} BIGINT{columns})")
        elif list(known) != list(kinds):
            expected = f"the columns of the other files of {source.table}: {', '.join(known)}"
            raise DatasetError(source.file, None, None, expected, ", ".join(kinds))

    def _note_id_types(self, number: int, schema: pa.Schema) -> None:
        source = self.sources[number]
        for key, types in self.id_types.items():
            if key in source.columns:
                found = schema.field(source.columns[key][0]).type
                types[number] = "integer" if pa.types.is_integer(found) else "text" if source.typed else "untyped"
