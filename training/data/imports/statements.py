"""SQL that turns a source's columns into canonical ones, and says of each row what is wrong with it."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from training.data.dataset import SPLITS
from training.data.errors import DatasetError
from training.data.imports.database import quote, text_literal
from training.data.imports.mapping import STATEMENTS, TABLES, Kind
from training.data.imports.records import LINE
from training.data.imports.source import Source
from training.data.table import is_text

PROBLEM: Final = "problem"
"""Column of a checked batch: what is wrong with a row, NULL if nothing is."""
SQL_TYPES: Final[dict[Kind, str]] = {
    "id": "VARCHAR",
    "number": "FLOAT",
    "time": "BIGINT",
    "split": "UTINYINT",
    "text": "VARCHAR",
    "list": "VARCHAR[]",
}
PARTS: Final = {**{name: code for code, name in enumerate(SPLITS)}, "val": 1, "validation": 1}
"""What files call the parts of a split, with their codes."""
UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000}
EXPECTED: Final = {"id": "an id", "number": "a finite number", "time": "a time", "split": f"one of {', '.join(PARTS)}"}
"""What must stand in a column of this kind, where a file has one."""
SHOWN_CHARS: Final = 40


def staged_columns(source: Source) -> dict[str, Kind]:
    """Canonical columns (and further texts) of the source with their kinds."""
    kinds = {name: TABLES[source.table].get(name, "text") for name in source.columns}
    return (
        kinds
        | ({STATEMENTS[source.table]: "list"} if source.statements else {})
        | ({"split": "split"} if source.split else {})
    )


def check_statement(source: Source, schema: pa.Schema, batch: str) -> str:
    """SELECT of `line`, the staged columns and PROBLEM from a relation that has the source's columns in this schema.

    DatasetError where a column's type can never hold what it should.
    """
    kinds = staged_columns(source)
    values = {name: _value(source, schema, name, kind) for name, kind in kinds.items()}
    cases = [
        f"WHEN {values[name]} IS NULL THEN {_complaint(source.columns[name][0], expected)}"
        for name, kind in kinds.items()
        if name in source.columns and (expected := _required(source.table, name, kind))
    ]
    staged = ", ".join(f"{value} AS {quote(name)}" for name, value in values.items())
    return f"SELECT {LINE}, {staged}, CASE {' '.join(cases)} END AS {PROBLEM} FROM {batch}"


def _required(table: str, name: str, kind: Kind) -> str | None:
    return "a text" if (table, name) == ("explanations", "text") else EXPECTED.get(kind)


def _complaint(column: str, expected: str) -> str:
    found = f"CAST({quote(column)} AS VARCHAR)"
    shown = f"coalesce('''' || left(nullif({found}, ''), {SHOWN_CHARS}) || '''', 'nothing')"
    return f"{text_literal(f'column {column!r}: expected {expected}, found ')} || {shown}"


def _value(source: Source, schema: pa.Schema, name: str, kind: Kind) -> str:
    if name == "split" and source.split:
        return f"{PARTS[source.split]}::{SQL_TYPES[kind]}"
    if name == STATEMENTS.get(source.table):
        return _statements(source, schema, name)
    columns = source.columns[name]
    _refuse_type(source, schema, columns[0], kind)
    first = quote(columns[0])
    match kind:
        case "id":
            return f"nullif(CAST({first} AS VARCHAR), '')"
        case "number":
            return f"CASE WHEN isfinite(TRY_CAST({first} AS DOUBLE)) THEN TRY_CAST({first} AS FLOAT) END"
        case "time":
            return _seconds(first, schema.field(columns[0]).type, source.time_unit)
        case "split":
            cases = " ".join(f"WHEN '{part}' THEN {code}" for part, code in PARTS.items())
            return f"CAST(CASE lower(trim(CAST({first} AS VARCHAR))) {cases} END AS {SQL_TYPES[kind]})"
        case "text":
            texts = [_text(column) for column in columns]
            return texts[0] if len(texts) == 1 else f"nullif(concat_ws(' ', {', '.join(texts)}), '')"
        case "list":
            return _concatenated([_list(source, schema, column) for column in columns])


def _text(column: str) -> str:
    text = f"CAST({quote(column)} AS VARCHAR)"
    return f"CASE WHEN trim({text}) <> '' THEN {text} END"


def _seconds(column: str, kind: pa.DataType, unit: str) -> str:
    if pa.types.is_temporal(kind):
        return f"CAST(floor(epoch({column})) AS BIGINT)"
    number = f"TRY_CAST({column} AS DOUBLE) / {UNITS[unit]}"
    seconds = f"coalesce({number}, epoch(TRY_CAST({column} AS TIMESTAMPTZ)))" if is_text(kind) else number
    return f"TRY_CAST(floor({seconds}) AS BIGINT)"


def _statements(source: Source, schema: pa.Schema, name: str) -> str:
    """Facts as they stand, or as kind and column tell them: with these the categories, which else would not count."""
    lists = [_list(source, schema, column) for column in source.columns.get(name, ())]
    if source.statements:
        of_kinds = [("category", column) for column in source.columns.get("categories", ())] + [*source.statements]
        lists += [
            f"list_transform({_list(source, schema, column)}, lambda v: {text_literal(f'{kind}: ')} || v)"
            for kind, column in of_kinds
        ]
    return _concatenated(lists)


def _list(source: Source, schema: pa.Schema, column: str) -> str:
    kind = schema.field(column).type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    separated = f"string_split(CAST({quote(column)} AS VARCHAR), {text_literal(source.list_separator)})"
    values = quote(column) if is_list else separated
    trimmed = f"list_transform({values}, lambda v: trim(CAST(v AS VARCHAR)))"
    return f"coalesce(list_filter({trimmed}, lambda v: v <> ''), [])"


def _concatenated(lists: list[str]) -> str:
    return lists[0] if len(lists) == 1 else f"list_concat({', '.join(lists)})"


def _refuse_type(source: Source, schema: pa.Schema, column: str, kind: Kind) -> None:
    found = schema.field(column).type
    is_fit = is_text(found) or pa.types.is_dictionary(found) or pa.types.is_null(found) or kind == "list"
    match kind:
        case "id":
            is_fit = is_fit or pa.types.is_integer(found)
        case "number":
            is_fit = is_fit or (pa.types.is_primitive(found) and not pa.types.is_temporal(found))
        case "time" | "text":
            is_fit = is_fit or pa.types.is_primitive(found)
    if not is_fit:
        raise DatasetError(source.file, None, column, EXPECTED.get(kind, "a text"), str(found))
