"""Toy graphs whose right answers follow from their making."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.data import Pairs, Split

COLOURS = 2
NUM_USERS, NUM_ITEMS = 40, 60
VALID_SHIFT, TEST_SHIFT = 0, 1
"""A user's own items, counted along the items of the user's colour, that are held out."""


def colours(count: int) -> np.ndarray:
    """Colour of every row: even rows red (0), odd rows blue (1)."""
    return np.arange(count) % COLOURS


def checkerboard() -> Split:
    """Every user likes all items of the own colour but two, of which one is valid and one is test; no other."""
    users, items = np.nonzero(colours(NUM_USERS)[:, None] == colours(NUM_ITEMS)[None])
    place = (items // COLOURS - users // COLOURS) % (NUM_ITEMS // COLOURS)
    pairs = Pairs(users.astype(np.int64), items.astype(np.int64))
    held_out = (place == VALID_SHIFT) | (place == TEST_SHIFT)
    return split_of(pairs.take(~held_out), pairs.take(place == VALID_SHIFT), pairs.take(place == TEST_SHIFT))


def split_of(train: Pairs, valid: Pairs, test: Pairs, *, removed: Pairs | None = None) -> Split:
    """A split of these pairs and nothing else."""
    none = np.zeros(0, np.int64)
    no_pairs = Pairs(none, none)
    roles = np.zeros(NUM_ITEMS, np.uint8)
    return Split(train, valid, test, removed or no_pairs, no_pairs, roles, none, none, none)


def write_checkerboard(folder: Path) -> Path:
    """The checkerboard as a plain data folder with its own split, titles, categories and explanations."""
    folder.mkdir(parents=True)
    parts = checkerboard()
    columns: dict[str, list[object]] = {"user_id": [], "item_id": [], "split": []}
    for name, pairs in (("train", parts.train), ("valid", parts.valid), ("test", parts.test)):
        columns["user_id"] += [f"u{row}" for row in pairs.users]
        columns["item_id"] += pairs.items.tolist()
        columns["split"] += [name] * pairs.num_pairs
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    names = ("red", "blue")
    items = {
        "item_id": list(range(NUM_ITEMS)),
        "title": [f"The {names[row % COLOURS]} thing {row}" for row in range(NUM_ITEMS)],
        "text": [f"A {names[row % COLOURS]} thing for friends of {names[row % COLOURS]}." for row in range(NUM_ITEMS)],
    }
    pq.write_table(pa.table(items), folder / "items.parquet")
    rows = [(user, item) for user, item in zip(parts.test.users.tolist(), parts.test.items.tolist(), strict=True)]
    explanations = {
        "user_id": [f"u{user}" for user, _ in rows],
        "item_id": [item for _, item in rows],
        "text": [f"You like {names[user % COLOURS]}, and this is {names[item % COLOURS]}." for user, item in rows],
    }
    pq.write_table(pa.table(explanations), folder / "explanations.parquet")
    return folder
