"""Small data sets whose right answers follow from their making."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from training.data.build import Tables, build_dataset
from training.data.dataset import Dataset
from training.data.table import Table


def table(file: str, **columns: Any) -> Table:
    """A typed table, as from Parquet."""
    return Table(file, pa.table(columns))


def write_parquet(path: Path, **columns: Any) -> Path:
    """A Parquet file of these columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def write_zip(path: Path, members: Mapping[str, str]) -> Path:
    """A zip file, as a wheel is one."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def dataset_of(
    pairs: Sequence[tuple[int, int]],
    *,
    ratings: Sequence[float] | None = None,
    timestamps: Sequence[int] | None = None,
    splits: Sequence[str] | None = None,
    explained: Sequence[tuple[int, int]] = (),
    items: Table | None = None,
) -> Dataset:
    """A data set of (user id, item id) pairs, in which "why U I" explains item I to user U."""
    columns: dict[str, Any] = {"user_id": [user for user, _ in pairs], "item_id": [item for _, item in pairs]}
    optional = {"rating": ratings, "timestamp": timestamps, "split": splits}
    columns |= {name: list(column) for name, column in optional.items() if column is not None}
    explanations = table(
        "explanations.parquet",
        user_id=[user for user, _ in explained],
        item_id=[item for _, item in explained],
        text=[f"why {user} {item}" for user, item in explained],
    )
    tables = Tables(table("interactions.parquet", **columns), items, explanations=explanations if explained else None)
    return build_dataset("toy", tables)


CINEMA = (
    # title, facts: two worlds that share nothing, a bridge between them, and a film of which nothing is known
    ("Star Port (1977)", "genre: Science Fiction", "year: 1977", "director: Ada Orbit", "keyword: spaceship"),
    ("Moon Dust (1979)", "genre: Science Fiction", "year: 1979", "director: Ada Orbit", "keyword: spaceship"),
    ("Far Planet (1982)", "genre: Science Fiction", "year: 1982", "director: Ada Orbit", "keyword: alien"),
    ("Iron Robot (1984)", "genre: Science Fiction", "year: 1984", "cast: Max Steel", "keyword: robot"),
    ("Spring Kiss (1995)", "genre: Romance", "year: 1995", "cast: Lily Rose", "keyword: wedding"),
    ("Two Hearts (1996)", "genre: Romance", "year: 1996", "cast: Lily Rose", "keyword: wedding"),
    ("Old Letters (1997)", "genre: Romance", "year: 1997", "cast: Lily Rose", "keyword: letter"),
    ("Rose Garden (1998)", "genre: Romance", "year: 1998", "director: Guy Mild", "keyword: garden"),
    ("Star Wedding (1999)", "genre: Romance", "genre: Science Fiction", "year: 1999", "keyword: wedding"),
    ("Untold",),
)
SCIENCE_FICTION = (0, 1, 2, 3)
ROMANCE = (4, 5, 6, 7)
BRIDGE, UNTOLD = 8, 9


def cinema() -> Dataset:
    """Users 0 to 9 like all science fiction films, users 10 to 19 all romances; user 20 likes one of each.

    Rows equal ids. The item `Untold` has no facts; users 0 and 10 like it.
    """
    pairs = [(user, item) for user in range(10) for item in SCIENCE_FICTION]
    pairs += [(user, item) for user in range(10, 20) for item in ROMANCE]
    pairs += [(20, 0), (20, 4), (0, UNTOLD), (10, UNTOLD), (1, BRIDGE), (11, BRIDGE)]
    items = table(
        "items.parquet",
        item_id=list(range(len(CINEMA))),
        title=[title for title, *_ in CINEMA],
        facts=[list(facts) for _, *facts in CINEMA],
    )
    return dataset_of(pairs, items=items)
