"""What can be wrong with data.

The tree:

DataError
+-- DatasetError    a file is not what the canonical form asks for
+-- MappingError    an import is told of a table, file or column that cannot be
+-- MalformedRows   more rows of an import than its limit allows are not what they should be
+-- LeakError       evaluated pairs stand in the training graph
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHOWN_PAIRS = 10
"""Pairs that the message of a LeakError lists; the error carries them all."""
SHOWN_ROWS = 20
"""The same for the rows of MalformedRows."""


class DataError(Exception):
    """Base of every error of this package."""


class DatasetError(DataError):
    """`file` holds something else than `expected`; `row` counts from 1, a header not counted; None: the whole file."""

    def __init__(
        self, file: str | Path, row: int | None, column: str | None, expected: str, found: object = None
    ) -> None:
        place = "".join([f", row {row}" if row is not None else "", f", column {column!r}" if column else ""])
        tail = "" if found is None else f", found {found!r}"
        super().__init__(f"{file}{place}: expected {expected}{tail}")
        self.file = str(file)
        self.row = row
        self.column = column
        self.expected = expected
        self.found = found


class MappingError(DataError):
    """What an import was told of files and columns, and why it cannot be."""


class MalformedRows(DataError):
    """`count` rows of the imported files are malformed, more than `limit`; `listed` names the first of them."""

    def __init__(self, count: int, limit: int, listed: Sequence[str]) -> None:
        shown = "".join(f"\n  {row}" for row in listed[:SHOWN_ROWS])
        more = f"\n  and {count - SHOWN_ROWS:,} more" if count > SHOWN_ROWS else ""
        super().__init__(
            f"{count:,} malformed row{'s' if count > 1 else ''}, {limit:,} allowed (--max-malformed):{shown}{more}"
        )
        self.count = count
        self.limit = limit
        self.listed = tuple(listed)


class LeakError(DataError):
    """`pairs` (outside user id, outside item id) are to be evaluated, but a model was trained on them."""

    def __init__(self, pairs: Sequence[tuple[int | str, int | str]]) -> None:
        shown = ", ".join(f"({user!r}, {item!r})" for user, item in pairs[:SHOWN_PAIRS])
        more = f" and {len(pairs) - SHOWN_PAIRS} more" if len(pairs) > SHOWN_PAIRS else ""
        super().__init__(f"{len(pairs)} evaluated (user, item) pairs stand in the training graph: {shown}{more}")
        self.pairs = tuple(pairs)
