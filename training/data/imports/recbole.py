"""RecBole's atomic files: NAME.inter, NAME.item, NAME.user, tab-separated, with columns like "rating:float".

Ids are called user_id and item_id unless mapped; lists ("token_seq") stand between spaces. Benchmark files
(NAME.train.inter, NAME.valid.inter, NAME.test.inter) bring their split. Source: https://recbole.io/docs, atomic files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from training.data.build import NO_TERMS
from training.data.dataset import SPLITS
from training.data.errors import DatasetError
from training.data.imports.mapping import ColumnMap
from training.data.imports.records import read_header
from training.data.imports.source import Source, Sources, text_source

ENDINGS: Final = {"inter": "interactions", "item": "items", "user": "users"}
DELIMITER: Final = "\t"
LIST_SEPARATOR: Final = " "


def recbole_sources(folder: Path, mapping: ColumnMap) -> Sources:
    """The atomic files of the folder, which must be those of one data set."""
    mapping = replace(
        mapping,
        list_separator=mapping.list_separator or LIST_SEPARATOR,
        delimiter=mapping.delimiter or DELIMITER,
    )
    found = [_source(file, mapping) for file in sorted(folder.iterdir()) if file.suffix[1:] in ENDINGS]
    log = [source for source in found if source.table == "interactions"]
    if not log:
        raise DatasetError(folder, None, None, "a file ending in .inter")
    parts = [source.split for source in log]
    if len(set(parts)) < len(parts) or (len(parts) > 1 and not all(parts)):
        names = ", ".join(source.file.name for source in log)
        raise DatasetError(folder, None, None, "one .inter file, or one for each of train, valid and test", names)
    return Sources(tuple(found), NO_TERMS)


def field_name(header: str) -> str:
    """The name in an atomic file's header: "rating" of "rating:float"."""
    return header.split(":")[0]


def _source(file: Path, mapping: ColumnMap) -> Source:
    names = [field_name(header) for header in read_header(file, mapping.delimiter, quoted=False)]
    source = text_source(ENDINGS[file.suffix[1:]], file, names, mapping.delimiter, mapping, quoted=False)
    middle = file.with_suffix("").suffix[1:]
    return replace(source, split=middle) if source.table == "interactions" and middle in SPLITS else source
