"""Explanation rows from any file, for evaluation against a model that may never have met their users or items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.id_map import IdMap
from training.data.dataset import Explanations
from training.data.table import Table
from training.data.xrec import read_explanation_table


@dataclass(frozen=True, eq=False)
class GivenRows:
    """The rows whose user and item are known, and which of the file's rows (from 1) were left out for which id."""

    explanations: Explanations
    strangers: tuple[tuple[int, str, int | str], ...]
    """(row in the file, "user" or "item", the id that the model's data did not have)."""


def read_rows(path: Path, user_ids: IdMap, item_ids: IdMap) -> GivenRows:
    """The explanation rows of a .parquet, .csv or .tsv file in the canonical or in XRec's form (DatasetError)."""
    table = read_explanation_table(path)
    texts, users, items = table.required_texts("text"), _outside_ids(table, "user_id"), _outside_ids(table, "item_id")
    strangers = [
        (row + 1, ids.kind, outside_id)
        for row, pair in enumerate(zip(users, items, strict=True))
        for ids, outside_id in zip((user_ids, item_ids), pair, strict=True)
        if outside_id not in ids
    ]
    left_out = {row - 1 for row, _, _ in strangers}
    known = np.array([row for row in range(len(texts)) if row not in left_out], np.int64)
    extra = {name: table.texts(name) or [] for name in table.text_columns if name not in ("user_id", "item_id", "text")}
    explanations = Explanations(
        user_ids.to_rows(users[row] for row in known),
        item_ids.to_rows(items[row] for row in known),
        tuple(texts[row] for row in known),
        {name: tuple(column[row] for row in known) for name, column in extra.items()},
    )
    return GivenRows(explanations, tuple(strangers))


def _outside_ids(table: Table, column: str) -> list[int | str]:
    return list(table.ids(column).to_pylist())
