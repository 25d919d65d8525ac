"""What the columns of somebody's files are in the canonical tables, as flags tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from training.data.errors import MappingError

Kind = Literal["id", "number", "time", "split", "text", "list"]
"""What a canonical column holds."""
TimeUnit = Literal["s", "ms", "us"]
Names = tuple[str, ...]

TABLES: Final[Mapping[str, Mapping[str, Kind]]] = {
    "interactions": {"user_id": "id", "item_id": "id", "rating": "number", "timestamp": "time", "split": "split"},
    "items": {"item_id": "id", "title": "text", "text": "text", "categories": "list", "facts": "list"},
    "users": {"user_id": "id", "text": "text", "groups": "list"},
    "explanations": {"user_id": "id", "item_id": "id", "text": "text"},
}
"""Columns of the canonical tables (training.data.canonical); explanations may have further texts."""

REQUIRED: Final[Mapping[str, Names]] = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
    "explanations": ("user_id", "item_id", "text"),
}
"""Columns without which a table is none."""
STATEMENTS: Final = {"items": "facts", "users": "groups"}
"""Table -> its column of statements "kind: value"."""


@dataclass(frozen=True)
class ColumnMap:
    """Whose files and columns stand for which table and column. What is not said has its canonical name."""

    columns: Mapping[str, Mapping[str, Names]] = field(default_factory=dict)
    """Table -> canonical column -> the files' columns, whose texts or lists are joined in this order."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Table -> its files, as a glob pattern within the folder."""
    statements: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Table -> (kind, column): each value of the column is a fact of the item (a group of the user) "kind: value"."""
    list_separator: str = ""
    """Between the values of a list in a text; "": as usual in the form."""
    delimiter: str = ""
    """Between the values of a row in a text file; "": as usual with the file's ending."""
    time_unit: TimeUnit = "s"
    """Of times that are numbers (since 1970)."""

    @classmethod
    def of_flags(
        cls,
        columns: Iterable[str] = (),
        files: Iterable[str] = (),
        facts: Iterable[str] = (),
        groups: Iterable[str] = (),
        *,
        list_separator: str = "",
        delimiter: str = "",
        time_unit: TimeUnit = "s",
    ) -> ColumnMap:
        """From columns "TABLE.COLUMN=THEIRS", files "TABLE=PATTERN", facts and groups "KIND=COLUMN". MappingError."""
        told: dict[str, dict[str, Names]] = {}
        for flag in columns:
            table, column, theirs = _column_flag(flag)
            names = told.setdefault(table, {})
            names[column] = (*names.get(column, ()), theirs)
        patterns = dict(_two_sides("--file", "TABLE=PATTERN", flag) for flag in files)
        for table in patterns:
            _refuse_unknown("--file", table, TABLES)
        statements = {
            "items": tuple(_two_sides("--fact", "KIND=COLUMN", flag) for flag in facts),
            "users": tuple(_two_sides("--group", "KIND=COLUMN", flag) for flag in groups),
        }
        delimiter = delimiter.replace("\\t", "\t")  # shells hand on the two characters
        if len(delimiter) > 1:
            raise MappingError(f"--delimiter {delimiter!r}: expected one character")
        given = {table: pairs for table, pairs in statements.items() if pairs}
        return cls(told, patterns, given, list_separator, delimiter, time_unit)

    def of(self, table: str, file: Path, found: Iterable[str]) -> dict[str, Names]:
        """Canonical column -> columns of `file`, one of `table`, which has the columns `found`.

        MappingError if one is not there, or if one that the table must have is neither there nor told.
        """
        there, told = list(found), self.columns.get(table, {})
        for name in [*(name for names in told.values() for name in names), *self.stating_columns(table)]:
            if name not in there:
                raise MappingError(f"{file}: no column {name!r}, only {', '.join(there)}")
        for name in REQUIRED[table]:
            if name not in told and name not in there:
                hint = f"if it is one of {', '.join(there)}: --column {table}.{name}=THEIRS"
                raise MappingError(f"{file}: no column {name!r}; {hint}")
        named = {name: told.get(name, (name,)) for name in TABLES[table]}
        return {name: theirs for name, theirs in named.items() if name in told or name in there}

    def stating_columns(self, table: str) -> list[str]:
        """The columns of `table` that hold facts or groups."""
        return [column for _, column in self.statements.get(table, ())]


def _column_flag(flag: str) -> tuple[str, str, str]:
    place, theirs = _two_sides("--column", "TABLE.COLUMN=THEIRS", flag)
    table, _, column = place.partition(".")
    _refuse_unknown("--column", table, TABLES)
    _refuse_unknown(f"--column {table}", column, TABLES[table])
    return table, column, theirs


def _two_sides(name: str, form: str, flag: str) -> tuple[str, str]:
    left, equals, right = flag.partition("=")
    if not (left and equals and right):
        raise MappingError(f"{name} {flag!r}: expected {form}")
    return left, right


def _refuse_unknown(name: str, found: str, known: Iterable[str]) -> None:
    if found not in known:
        raise MappingError(f"{name}: {found!r} is none of {', '.join(known)}")
