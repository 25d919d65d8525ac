"""Database: DuckDB with a memory limit, past which it goes to disk.

DuckDB, because its sorts, joins and distinct counts spill at a fixed limit, and one language checks, counts and writes
Parquet. Polars streams too, but its sorts and joins hold what they need in memory, however much that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Result = TypeVar("Result")

MEMORY_LIMIT: Final = "512MB"
"""Of DuckDB's buffers; the arrays of a big import in Python come on top."""


class Database:
    """A database in `folder`, which the caller removes. Arrow tables given by name are views for one statement."""

    def __init__(self, folder: Path) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(folder / "spill"),
            "autoinstall_known_extensions": False,
        }
        self._connection = duckdb.connect(folder / "tables.duckdb", config=config)
        self._connection.execute("SET TimeZone = 'UTC'")  # of times that do not say theirs
        self._beside = ThreadPoolExecutor(1, "statements")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.shutdown()
        self._connection.close()

    def rows(self, sql: str, **views: Any) -> list[tuple[Any, ...]]:
        """Run a statement; the rows of its result."""
        with self._registered(views):
            return self._done(lambda: self._connection.execute(sql).fetchall())

    def row(self, sql: str) -> dict[str, Any]:
        """The one row of a result, by column."""
        (row,) = self.table(sql).to_pylist()
        return dict(row)

    def table(self, sql: str, **views: Any) -> pa.Table:
        """A result as an Arrow table."""
        with self._registered(views):
            return self._done(lambda: self._connection.sql(sql).to_arrow_table())

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """A result as a stream, to be read to its end before the next statement."""
        return self._connection.sql(sql).to_arrow_reader()

    def arrays(self, sql: str) -> dict[str, NDArray[Any]]:
        """Numeric columns of a result that has no NULL."""
        found = self._done(lambda: self._connection.execute(sql).fetchnumpy())
        return {name: np.asarray(column) for name, column in found.items()}

    def _done(self, statement: Callable[[], Result]) -> Result:
        """What it returns. It runs in a thread of its own, and Ctrl-C stops it from here.

        DuckDB looks for Ctrl-C itself, but too seldom: a query that finds nothing for minutes went on for minutes.
        """
        running = self._beside.submit(statement)
        try:
            return running.result()
        except KeyboardInterrupt:
            self._connection.interrupt()
            wait([running])
            raise

    @contextmanager
    def _registered(self, views: dict[str, Any]) -> Iterator[None]:
        """No transaction spans a view: until its end DuckDB would hold what the view showed.

        OSError, which commands tell in a line, where the disk is full or the memory limit cannot be kept.
        """
        for name, table in views.items():
            self._connection.register(name, table)
        try:
            yield
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise OSError(f"the import's database: {error}") from error
        for name in views:
            self._connection.unregister(name)


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: object) -> str:
    """An SQL string."""
    return "'" + str(text).replace("'", "''") + "'"
