"""XRec's data, as its repository has it (total_*.csv and data.json) or as Parquet (training.data.xrec).

The repository's .pkl files are never opened: loading them would run whatever code is in them, and they hold nothing
that is not in the others but their own split of the explanations, which leaks (training.data.split makes another).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from training.data.errors import DatasetError
from training.data.imports.json_source import json_source
from training.data.imports.mapping import ColumnMap
from training.data.imports.records import as_text, parquet_schema, read_header
from training.data.imports.source import Source, Sources, parquet_source, text_source
from training.data.xrec import CANONICAL_NAMES, TERMS

EXPLANATIONS: Final = "data.json"
PARTS: Final = {"total_trn.csv": "train", "total_val.csv": "valid", "total_tst.csv": "test"}
PAIR: Final = ColumnMap(columns={"interactions": {"user_id": ("user",), "item_id": ("item",)}})
THEIR_NAMES: Final = {
    "user_id": "uid",
    "item_id": "iid",
    "text": "explanation",
    "title": "title",
    "user_profile": "user_summary",
    "item_profile": "item_summary",
}
ROW: Final = pa.schema([(name, pa.string()) for name in THEIR_NAMES])


def xrec_sources(folder: Path) -> Sources:
    """The files of the folder in the one form or the other."""
    if (folder / EXPLANATIONS).exists():
        return Sources(_original(folder), TERMS, titles_in_explanations=True)
    if not (folder / "explanations.parquet").exists():
        found = "pickles only" if list(folder.glob("*.pkl")) else None
        raise DatasetError(folder, None, None, f"{EXPLANATIONS} and total_*.csv, or explanations.parquet", found)
    return Sources(_parquet(folder), TERMS, titles_in_explanations=True)


def _original(folder: Path) -> tuple[Source, ...]:
    return (
        *(_part(folder / name, split) for name, split in PARTS.items()),
        json_source("explanations", folder / EXPLANATIONS, _row, ROW, typed=False),
    )


def _part(file: Path, split: str) -> Source:
    return replace(text_source("interactions", file, read_header(file, ","), ",", PAIR), split=split)


def _row(record: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: as_text(record.get(theirs)) for name, theirs in THEIR_NAMES.items()}


def _parquet(folder: Path) -> tuple[Source, ...]:
    explanations = folder / "explanations.parquet"
    there = parquet_schema(explanations).names
    renamed = {ours: (theirs,) for theirs, ours in CANONICAL_NAMES.items() if ours not in there and theirs in there}
    mapping = ColumnMap(columns={"explanations": renamed})
    others = (("interactions", folder / "interactions.parquet"), ("items", folder / "items.parquet"))
    found = [parquet_source(table, file, mapping) for table, file in others if table != "items" or file.exists()]
    return (*found, parquet_source("explanations", explanations, mapping))
