"""Files as streams of record batches, each row with its line: CSV and the like, JSON lines, Parquet.

Compressed files (.gz, .bz2, .zst, .lz4) are read as they are. A row that cannot be read is complained of and left out;
a file that cannot be read is a DatasetError.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet

from training.data.errors import DatasetError

BATCH_ROWS: Final = 32_768
"""Rows held in memory at a time."""
READ_BYTES: Final = 1 << 20
LINE: Final = "line"
"""Column of every batch beside the file's own: where each row begins, from 1 (in Parquet: the row, from 1)."""

Complain = Callable[[int, str], None]
"""Told the line of a row that cannot be read, and what is wrong with it."""
Pick = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the wanted columns out of a JSON object."""


def read_header(path: Path, delimiter: str, *, quoted: bool = True) -> list[str]:
    """The column names in a text file's first line, as they stand there."""
    with _text(path) as file:
        header: list[str] = next(_rows(file, delimiter, quoted), [])
    if not header or len(set(header)) < len(header):
        raise DatasetError(path, None, None, "a first line with the names of all columns, each once", header)
    return header


def csv_batches(
    path: Path, names: Sequence[str], delimiter: str, complain: Complain, *, quoted: bool = True
) -> Iterator[pa.RecordBatch]:
    """The rows below the header in columns of these names: every value as text, "" where nothing stands.

    Not `quoted`: a quotation mark is a character like others.
    """
    with _text(path) as file:
        numbered = _whole_rows(_rows(file, delimiter, quoted), len(names), complain)
        while rows := list(islice(numbered, BATCH_ROWS)):
            try:
                batch = _batch(rows, names)
            except UnicodeEncodeError:
                batch = _batch(_readable(rows, complain), names)
            yield batch


def json_batches(path: Path, pick: Pick, schema: pa.Schema, complain: Complain) -> Iterator[pa.RecordBatch]:
    """What `pick` takes out of each line's JSON object, in the columns of `schema`; blank lines are passed over."""
    schema = schema.append(pa.field(LINE, pa.int64()))
    with _bytes(path) as file:
        objects = _objects(file, complain)
        while some := list(islice(objects, BATCH_ROWS)):
            yield pa.RecordBatch.from_pylist([{**pick(found), LINE: line} for line, found in some], schema=schema)


def parquet_schema(path: Path) -> pa.Schema:
    """Names and types of a Parquet file's columns."""
    with _parquet(path) as file:
        return file.schema_arrow


def parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """These columns with their own types."""
    with _parquet(path) as file:
        row = 1
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            yield batch.append_column(LINE, pa.array(range(row, row + len(batch)), pa.int64()))
            row += len(batch)


def as_text(value: Any) -> str | None:
    """A JSON value as text: numbers as they are written, lists and objects as JSON; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def as_texts(value: Any) -> list[str]:
    """A JSON list as texts, without its empty values; a single value is a list of one."""
    values = value if isinstance(value, list) else [value]
    return [text for text in map(as_text, values) if text and text.strip()]


def _objects(lines: Iterator[bytes], complain: Complain) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(lines, start=1):
        try:
            found = orjson.loads(text) if text.strip() else None
        except orjson.JSONDecodeError as error:
            complain(line, f"expected a JSON object, found broken JSON ({error})")
            continue
        if isinstance(found, dict):
            yield line, found
        elif text.strip():
            complain(line, f"expected a JSON object, found {text[:40].decode(errors='replace').strip()!r}")


def _whole_rows(rows: Any, width: int, complain: Complain) -> Iterator[tuple[int, list[str]]]:
    """Line and values of every row but the header that has as many values as there; blank lines are passed over."""
    next(rows)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except csv.Error as error:
            complain(line, f"expected {width} values, found an unreadable row ({error})")
            continue
        except StopIteration:
            return
        if len(row) == width:
            yield line, row
        elif row:
            complain(line, f"expected {width} values, found {len(row)}")


def _batch(rows: Sequence[tuple[int, list[str]]], names: Sequence[str]) -> pa.RecordBatch:
    columns = zip(*(row for _, row in rows), strict=True) if rows else [()] * len(names)
    lines = pa.array([line for line, _ in rows], pa.int64())
    return pa.record_batch([lines, *(pa.array(column, pa.string()) for column in columns)], [LINE, *names])


def _readable(rows: Sequence[tuple[int, list[str]]], complain: Complain) -> list[tuple[int, list[str]]]:
    """Those of the rows that are Unicode: bytes that are not came in as half a surrogate pair."""
    kept = []
    for line, row in rows:
        try:
            "".join(row).encode()
            kept.append((line, row))
        except UnicodeEncodeError:
            complain(line, "expected UTF-8, found other bytes")
    return kept


def _rows(file: io.TextIOWrapper, delimiter: str, quoted: bool) -> Any:
    return csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)


@contextmanager
def _parquet(path: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise DatasetError(path, None, None, "a file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(path, None, None, "a readable Parquet file", str(error)) from None


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    with _bytes(path) as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
        yield text


@contextmanager
def _bytes(path: Path) -> Iterator[io.BufferedReader]:
    """The file's bytes, decompressed; DatasetError where they end too early or are not what the ending says."""
    try:
        with pa.input_stream(path, compression="detect") as stream, io.BufferedReader(stream, READ_BYTES) as file:
            yield file
    except FileNotFoundError:
        raise DatasetError(path, None, None, "a file") from None
    except OSError as error:
        raise DatasetError(path, None, None, "a file that can be read to its end", str(error)) from None
