"""From files to a data set that is ready to learn from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import indent

import numpy as np

from training.config import RunConfig
from training.data import Dataset, DatasetError, Split, check_leaks, digest, split
from training.data_source import read_data
from training.progress import console, stage
from training.stages import stage_key
from training.supervision import Supervision, supervise

DATA_FORMAT = 1
"""Counted up when the code makes something else of the same files."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set ready to learn from: split without leaks, and with explanations whether or not it brought any."""

    dataset: Dataset
    split: Split
    supervision: Supervision | None
    """Where the explanations were made from likes and facts: what each of them states."""
    key: str
    """Of data, split and supervision: every later stage's key stands on it."""


def prepare(config: RunConfig, folder: Path | None) -> Prepared:
    """Read, split and, where the data has no explanations, write them.

    LeakError if a held-out one was trained on, DatasetError if there is none to train on.
    """
    with stage("Reading data"):
        dataset = read_data(config.data, folder)
        parts = split(dataset, config.split)
    return prepared_of(config, dataset, parts)


def prepared_of(config: RunConfig, dataset: Dataset, parts: Split) -> Prepared:
    """As `prepare`, of data that is read and split already."""
    console.print(f"     {_described(dataset, parts)}")
    console.print(indent(dataset.terms, "     "), style="dim", soft_wrap=True)
    settings = {"split": asdict(config.split), "supervision": asdict(config.supervision)}
    key = stage_key("data", code_format=DATA_FORMAT, config=settings, inputs=[digest(dataset)])
    made = None
    if dataset.explanations is None:
        with stage("Writing explanation targets from facts and likes"):
            made = supervise(dataset, parts, config.supervision)
        dataset = replace(dataset, explanations=made.explanations)
        parts = replace(
            parts, train_explanations=made.train, valid_explanations=made.valid, test_explanations=made.test
        )
    assert dataset.explanations is not None
    _refuse_nothing_to_learn(dataset, parts, made)
    held_out = np.concatenate([parts.valid_explanations, parts.test_explanations])
    check_leaks(parts.train, dataset.explanations.pairs.take(held_out), dataset.user_ids, dataset.item_ids)
    return Prepared(dataset, parts, made, key)


def _refuse_nothing_to_learn(dataset: Dataset, parts: Split, made: Supervision | None) -> None:
    """DatasetError, saying what to add, where no explanation may train: no projector could be made of the data."""
    if len(parts.train_explanations):
        return
    if made is None:
        expected = (
            "at least one explanation of an item that is not held out: add rows for further items, lower "
            "split.test_item_share and split.valid_item_share, or take the table away to have explanations written "
            "from likes, facts and categories"
        )
        raise DatasetError(dataset.name, None, "explanations", expected, "held-out items only")
    expected = (
        "explanations, or liked training interactions to write some from: add a table of explanations (user_id, "
        "item_id, text), or interactions with ratings from split.min_rating on, and facts or categories of the items"
    )
    raise DatasetError(dataset.name, None, None, expected, "neither")


def _described(dataset: Dataset, parts: Split) -> str:
    """Counts, in a line."""
    counts = f"{parts.train.num_pairs:,} train, {parts.valid.num_pairs:,} valid, {parts.test.num_pairs:,} test"
    removed = f", {parts.removed.num_pairs:,} held out with their explanations" if parts.removed.num_pairs else ""
    return f"{dataset.name}: {dataset.num_users:,} users, {dataset.num_items:,} items; {counts}{removed}"
