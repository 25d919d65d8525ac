"""Source: one file of one canonical table, read as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from training.data.imports.mapping import ColumnMap, Names, TimeUnit
from training.data.imports.records import Complain, csv_batches, parquet_batches, parquet_schema
from training.data.table import LIST_SEPARATOR, is_text


@dataclass(frozen=True)
class Source:
    """One file: how it is read, and what its columns are."""

    table: str
    file: Path
    read: Callable[[Complain], Iterator[pa.RecordBatch]]
    """Batches with the columns named below and `line`; complains of rows that cannot be read."""
    columns: Mapping[str, Names]
    """Canonical column (or further text of explanations) -> the batches' columns that make it."""
    statements: tuple[tuple[str, str], ...] = ()
    """(kind, column) of facts (of users: groups) beside those in `columns`; the categories become facts with them."""
    split: str = ""
    """The part to which every row belongs, where the file's name says it."""
    typed: bool = False
    """Whether ids are text because they are no numbers, and not because the file has no types."""
    list_separator: str = LIST_SEPARATOR
    time_unit: TimeUnit = "s"
    row_word: Literal["line", "row"] = "line"
    """What the batches' `line` counts."""


@dataclass(frozen=True)
class Sources:
    """All files of a data set in one form."""

    files: tuple[Source, ...]
    terms: str
    titles_in_explanations: bool = False
    """Whether explanation rows tell titles (`title`) and texts (`item_profile`) that the catalogue lacks."""


def text_source(
    table: str, file: Path, names: Sequence[str], delimiter: str, mapping: ColumnMap, *, quoted: bool = True
) -> Source:
    """A text file with a header, whose columns are called `names`, as the flags map them."""
    return Source(
        table=table,
        file=file,
        read=lambda complain: csv_batches(file, names, delimiter, complain, quoted=quoted),
        columns=_columns(table, file, names, names, mapping),
        statements=mapping.statements.get(table, ()),
        list_separator=mapping.list_separator or LIST_SEPARATOR,
        time_unit=mapping.time_unit,
    )


def parquet_source(table: str, file: Path, mapping: ColumnMap) -> Source:
    """A Parquet file, as the flags map its columns."""
    schema = parquet_schema(file)
    columns = _columns(table, file, schema.names, [field.name for field in schema if is_text(field.type)], mapping)
    used = {name for names in columns.values() for name in names} | set(mapping.stating_columns(table))
    return Source(
        table=table,
        file=file,
        read=lambda _: parquet_batches(file, sorted(used)),
        columns=columns,
        statements=mapping.statements.get(table, ()),
        typed=True,
        list_separator=mapping.list_separator or LIST_SEPARATOR,
        time_unit=mapping.time_unit,
        row_word="row",
    )


def _columns(
    table: str, file: Path, names: Sequence[str], texts: Sequence[str], mapping: ColumnMap
) -> dict[str, Names]:
    """The canonical columns and, of explanations, every further text: evaluation may compare with it."""
    columns = mapping.of(table, file, names)
    used = {name for mapped in columns.values() for name in mapped}
    further = [name for name in texts if name not in used] if table == "explanations" else []
    return {**columns, **{name: (name,) for name in further}}
