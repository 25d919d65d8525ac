"""XRec's data as Parquet: interactions with splits, item profiles, and explanations with what others wrote there.

Source: HKUDS/XRec and tr2512/ReXRec. Files: interactions.parquet, explanations.parquet and, if there, items.parquet.
Without it titles and profiles are those of the explanation rows. Reference texts are kept as they are, although most
begin with one formula ("The user would enjoy X because") and name the title.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from training.data.build import Tables, build_dataset
from training.data.dataset import Dataset
from training.data.table import Table, read_table

TERMS: Final = """\
XRec data (HKUDS/XRec, Apache-2.0; the column rexrec_prediction: tr2512/ReXRec, MIT)
https://github.com/HKUDS/XRec   https://github.com/tr2512/ReXRec

The profiles and explanations were written by language models from public reviews: the Yelp Open Dataset, Google Local
reviews, Amazon reviews. Those sources are for research use and set terms of their own; read them before any other
use. Please cite Ma, Ren and Huang, "XRec: Large Language Models for Explainable Recommendation" (arXiv:2406.02377).
"""

CANONICAL_NAMES: Final = {"explanation": "text"}
"""The column of reference texts, under XRec's name and ours."""


def read_xrec(folder: Path, *, name: str | None = None) -> Dataset:
    """The data set in `folder`, named after it ("xrec-yelp") unless `name` is given. DatasetError as everywhere.

    The explanations' other columns (title, user_profile, item_profile, xrec_prediction, rexrec_prediction) stay with
    them as `extra`.
    """
    explanations = read_explanation_table(folder / "explanations.parquet")
    file = folder / "items.parquet"
    items = _with_titles(read_table(file), explanations) if file.exists() else _items_named_in(explanations)
    tables = Tables(read_table(folder / "interactions.parquet"), items, explanations=explanations)
    return build_dataset(name or f"xrec-{folder.resolve().name}", tables, terms=TERMS)


def read_explanation_table(path: Path) -> Table:
    """The file's table with the reference text under its canonical name, `text`."""
    table = read_table(path)
    if "text" in table:
        return table
    renamed = [CANONICAL_NAMES.get(name, name) for name in table.columns.column_names]
    return Table(table.file, table.columns.rename_columns(renamed), table.typed)


def _items_named_in(explanations: Table) -> Table:
    """The catalogue as far as explanation rows tell it: title and profile of an item's first row."""
    ids = explanations.ids("item_id")
    first = {item_id: row for row, item_id in reversed(list(enumerate(ids.to_pylist())))}
    rows = pa.array(sorted(first.values()), pa.int64())
    columns = {"item_id": ids.take(rows)}
    for name, source in (("title", "title"), ("text", "item_profile")):
        if source in explanations:
            columns[name] = pa.array(explanations.texts(source), pa.string()).take(rows)
    return Table(explanations.file, pa.table(columns), explanations.typed)


def _with_titles(items: Table, explanations: Table) -> Table:
    """The catalogue, with titles that only explanation rows know filled in."""
    if "title" not in explanations:
        return items
    known = dict(zip(explanations.ids("item_id").to_pylist(), explanations.texts("title") or [], strict=True))
    ids, titles = items.ids("item_id").to_pylist(), items.texts("title") or [None] * len(items)
    filled = [title or known.get(item_id) for item_id, title in zip(ids, titles, strict=True)]
    others = items.columns.drop_columns("title") if "title" in items else items.columns
    return Table(items.file, others.append_column("title", pa.array(filled, pa.string())), items.typed)
