"""Folders of CSV, TSV (both also compressed) or Parquet files: the tables under their canonical names, or mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from training.data.build import NO_TERMS
from training.data.errors import DatasetError
from training.data.imports.mapping import TABLES, ColumnMap
from training.data.imports.records import read_header
from training.data.imports.source import Source, Sources, parquet_source, text_source
from training.data.tabular import TERMS_FILE

DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".parquet": ""}
COMPRESSED: Final = (".gz", ".bz2", ".zst", ".lz4")


def tabular_sources(folder: Path, mapping: ColumnMap) -> Sources:
    """The files of the folder; `interactions` must be there. A file pattern may stand for several files of a table."""
    found = tuple(_source(table, file, mapping) for table in TABLES for file in _files(folder, table, mapping))
    if not any(source.table == "interactions" for source in found):
        raise DatasetError(folder, None, None, f"a file interactions with one of the endings {', '.join(DELIMITERS)}")
    terms = folder / TERMS_FILE
    return Sources(found, terms.read_text(encoding="utf-8") if terms.exists() else NO_TERMS)


def _files(folder: Path, table: str, mapping: ColumnMap) -> list[Path]:
    pattern = mapping.files.get(table)
    files = [file for file in sorted(folder.glob(pattern or f"{table}.*")) if file.is_file()]
    if pattern is None and len(files) > 1:
        raise DatasetError(files[1], None, None, f"one file of {table}", f"also {files[0].name}")
    if pattern is not None and not files:
        raise DatasetError(folder, None, None, f"files that match {pattern!r}")
    return files


def _source(table: str, file: Path, mapping: ColumnMap) -> Source:
    suffix = file.with_suffix("").suffix if file.suffix in COMPRESSED else file.suffix
    if suffix not in DELIMITERS:
        raise DatasetError(file, None, None, f"a file ending in {', '.join(DELIMITERS)}")
    if suffix == ".parquet":
        return parquet_source(table, file, mapping)
    delimiter = mapping.delimiter or DELIMITERS[suffix]
    return text_source(table, file, read_header(file, delimiter), delimiter, mapping)
