"""Complaints: the malformed rows of an import, counted, the first of them listed with file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from training.data.errors import MalformedRows
from training.data.imports.source import Source

LISTED: Final = 1_000
"""Malformed rows that are kept with their place; all are counted."""


@dataclass
class Complaints:
    """Told of malformed rows one by one."""

    count: int = 0
    _first: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, source: Source, line: int, what: str) -> None:
        """A row of `source` is malformed."""
        self.count += 1
        if len(self._first) < LISTED:
            self._first.append((source.file.name, line, f"{source.file.name}, {source.row_word} {line}: {what}"))

    @property
    def listed(self) -> list[str]:
        """The first of them, by file and line."""
        return [told for _, _, told in sorted(self._first)]

    def refuse_above(self, limit: int) -> None:
        """MalformedRows if there are more than `limit`."""
        if self.count > limit:
            raise MalformedRows(self.count, limit, self.listed)
