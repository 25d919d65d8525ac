"""The canonical dataset folder: Parquet files in, Dataset out, and back.

| file | columns (optional ones in brackets) |
| --- | --- |
| interactions | user_id, item_id, [rating, timestamp (seconds since 1970, or a time), split (train, valid, test)] |
| [items] | item_id, [title, text, categories (list), facts (list of "kind: value")] |
| [users] | user_id, [text, groups (list of "kind: value")] |
| [explanations] | user_id, item_id, text, [any further text columns, kept for evaluation] |

Ids are all integers or all strings. An item without a row in `items` has the title "item <id>" and no text.
Beside them: dataset.json (name, format version) and TERMS.txt (the data's own terms).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from model_store.id_map import IdMap
from model_store.string_table import StringTable
from training.data.build import NO_TERMS, Tables, build_dataset
from training.data.dataset import SPLITS, Dataset, Explanations, Interactions, Rows
from training.data.errors import DatasetError
from training.data.folders import whole_folder
from training.data.table import Table, read_table

FORMAT_VERSION: Final = 1
ABOUT_FILE: Final = "dataset.json"
TERMS_FILE: Final = "TERMS.txt"


def read_dataset(folder: Path) -> Dataset:
    """The data set in a canonical folder. DatasetError names the file, row and column at fault."""
    terms = folder / TERMS_FILE
    tables = Tables(
        read_table(folder / "interactions.parquet"),
        _table_if_there(folder / "items.parquet"),
        _table_if_there(folder / "users.parquet"),
        _table_if_there(folder / "explanations.parquet"),
    )
    return build_dataset(_name_of(folder), tables, terms=terms.read_text() if terms.exists() else NO_TERMS)


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """The data set as a canonical folder, as `dataset_folder` makes it."""
    with dataset_folder(folder, dataset.name, dataset.terms) as aside:
        for name, columns in _columns_of(dataset):
            pyarrow.parquet.write_table(pa.table(dict(columns)), aside / f"{name}.parquet")


@contextmanager
def dataset_folder(folder: Path, name: str, terms: str) -> Iterator[Path]:
    """A folder for the tables of a data set, which becomes `folder`, whole or not at all, when the block ends well.

    It replaces a data set of the same name; DatasetError if `folder` holds something else: it is left as it is.
    """
    refuse_other_content(folder)
    with whole_folder(folder) as aside:
        yield aside
        (aside / TERMS_FILE).write_text(terms, encoding="utf-8")
        about = {"name": name, "format_version": FORMAT_VERSION}
        (aside / ABOUT_FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def refuse_other_content(folder: Path) -> None:
    """DatasetError if there is something at `folder` that is neither empty nor a data set."""
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / ABOUT_FILE).exists():
        raise DatasetError(folder, None, None, "an empty folder or a canonical dataset to replace")


def _name_of(folder: Path) -> str:
    about = folder / ABOUT_FILE
    try:
        facts = json.loads(about.read_text())
        name, version = str(facts["name"]), facts["format_version"]
    except FileNotFoundError:
        raise DatasetError(about, None, None, "a file: it makes the folder a canonical dataset") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(about, None, None, "JSON with name and format_version", str(error)) from None
    if version != FORMAT_VERSION:
        raise DatasetError(about, None, "format_version", str(FORMAT_VERSION), version)
    return name


def _table_if_there(path: Path) -> Table | None:
    return read_table(path) if path.exists() else None


def _columns_of(dataset: Dataset) -> Iterator[tuple[str, Mapping[str, Any]]]:
    items = dataset.items
    yield "interactions", _interaction_columns(dataset, dataset.interactions)
    yield (
        "items",
        {
            "item_id": _ids(dataset.item_ids),
            "title": list(items.titles),
            "text": list(items.texts),
            "categories": _lists(items.categories),
            "facts": _lists(items.facts),
        },
    )
    if dataset.user_texts is not None or dataset.user_groups is not None:
        yield "users", _user_columns(dataset.user_ids, dataset.user_texts, dataset.user_groups)
    if dataset.explanations is not None:
        yield "explanations", _explanation_columns(dataset, dataset.explanations)


def _interaction_columns(dataset: Dataset, log: Interactions) -> Mapping[str, Any]:
    optional = {"rating": log.ratings, "timestamp": log.timestamps}
    splits = {} if log.splits is None else {"split": np.array(SPLITS)[log.splits]}
    return {
        "user_id": _ids_at(dataset.user_ids, log.users),
        "item_id": _ids_at(dataset.item_ids, log.items),
        **{name: column for name, column in optional.items() if column is not None},
        **splits,
    }


def _user_columns(
    ids: IdMap, texts: StringTable | None, groups: tuple[tuple[str, ...], ...] | None
) -> Mapping[str, Any]:
    text = {} if texts is None else {"text": list(texts)}
    return {"user_id": _ids(ids), **text, **({} if groups is None else {"groups": _lists(groups)})}


def _explanation_columns(dataset: Dataset, explanations: Explanations) -> Mapping[str, Any]:
    return {
        "user_id": _ids_at(dataset.user_ids, explanations.users),
        "item_id": _ids_at(dataset.item_ids, explanations.items),
        "text": list(explanations.texts),
        **{name: pa.array(column, pa.string()) for name, column in explanations.extra.items()},
    }


def _ids(ids: IdMap) -> pa.Array:
    return pa.array(list(ids.ids), pa.string()) if isinstance(ids.ids, StringTable) else pa.array(ids.ids, pa.int64())


def _ids_at(ids: IdMap, rows: Rows | NDArray[np.int64]) -> pa.Array:
    return _ids(ids).take(pa.array(rows))


def _lists(values: tuple[tuple[str, ...], ...]) -> pa.Array:
    return pa.array([list(value) for value in values], pa.list_(pa.string()))
