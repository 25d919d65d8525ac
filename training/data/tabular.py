"""Plain folders: the canonical tables as .parquet, .csv or .tsv files, under the canonical column names.

In CSV every value is text: ids are integers if all of them are written as integers ("007" makes them strings), and
the values of a list column stand between "|".
"""

from __future__ import annotations

from pathlib import Path

from training.data.build import NO_TERMS, Tables, build_dataset
from training.data.dataset import Dataset
from training.data.errors import DatasetError
from training.data.table import SUFFIXES, Table, read_table

TERMS_FILE = "TERMS.txt"


def read_tabular(folder: Path, *, name: str | None = None) -> Dataset:
    """The data set in `folder`, named after it unless `name` is given; `interactions` is the one file it must have.

    DatasetError names the file, row and column that are not as they should be.
    """
    interactions = _find(folder, "interactions")
    if interactions is None:
        raise DatasetError(folder, None, None, f"a file interactions with one of the endings {', '.join(SUFFIXES)}")
    tables = Tables(interactions, _find(folder, "items"), _find(folder, "users"), _find(folder, "explanations"))
    terms = folder / TERMS_FILE
    return build_dataset(name or folder.resolve().name, tables, terms=terms.read_text() if terms.exists() else NO_TERMS)


def _find(folder: Path, stem: str) -> Table | None:
    files = [path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").exists()]
    if len(files) > 1:
        raise DatasetError(files[1], None, None, f"one file of {stem}", f"also {files[0].name}")
    return read_table(files[0]) if files else None
