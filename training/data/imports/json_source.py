"""A source of JSON lines, whose columns a function takes out of each object."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from training.data.imports.mapping import TimeUnit
from training.data.imports.records import Pick, json_batches
from training.data.imports.source import Source


def json_source(
    table: str,
    file: Path,
    pick: Pick,
    schema: pa.Schema,
    *,
    statements: tuple[tuple[str, str], ...] = (),
    time_unit: TimeUnit = "s",
    typed: bool = True,
) -> Source:
    """The file with what `pick` makes of each object: the columns of `schema`, under canonical names but for facts."""
    stating = {column for _, column in statements}
    return Source(
        table=table,
        file=file,
        read=lambda complain: json_batches(file, pick, schema, complain),
        columns={name: (name,) for name in schema.names if name not in stating},
        statements=statements,
        typed=typed,
        time_unit=time_unit,
    )
