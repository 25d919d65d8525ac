"""Importing, top to bottom: files -> checked tables -> k-core -> split -> canonical folder with its data card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.canonical import dataset_folder, refuse_other_content
from training.data.dataset import Interactions
from training.data.errors import DatasetError, MappingError
from training.data.imports.amazon import amazon_sources
from training.data.imports.card import DataCard
from training.data.imports.card_figures import open_folder, quantiles, section_figures
from training.data.imports.card_notes import notes_on
from training.data.imports.complaints import Complaints
from training.data.imports.config import Form, ImportConfig, SplitBy
from training.data.imports.database import Database
from training.data.imports.k_core import k_core
from training.data.imports.mapping import ColumnMap
from training.data.imports.numbering import interactions_of, number_ids
from training.data.imports.recbole import recbole_sources
from training.data.imports.source import Sources
from training.data.imports.staging import Staging
from training.data.imports.tabular import tabular_sources
from training.data.imports.writing import Kept, write_tables
from training.data.imports.xrec import xrec_sources
from training.data.imports.yelp import yelp_sources
from training.data.split import parts_of


def import_dataset(
    source: Path, target: Path, config: ImportConfig, *, on_rows: Callable[[int], None] = lambda _: None
) -> DataCard:
    """Make the canonical folder `target`, whole or not at all, of the files in `source`; its data card.

    `on_rows` is told of rows as they are read. MalformedRows above the config's limit; MappingError, DatasetError.
    """
    refuse_other_content(target)
    sources = _sources(source, config)
    name, complaints = config.name or target.resolve().name, Complaints()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-import-") as scratch,
        Database(Path(scratch)) as database,
    ):
        staging = Staging(database, complaints)
        for file in sources.files:
            staging.load(file, on_rows)
        staging.drop_repeated()
        complaints.refuse_above(config.max_malformed)
        if sources.titles_in_explanations:
            staging.fill_items_from_explanations()
        number_ids(staging)
        kept = _kept(staging, config)
        with dataset_folder(target, name, sources.terms) as aside:
            write_tables(staging, kept, aside)
            card = _card(aside, name, staging, kept, config, complaints)
            card.write(aside)
    return card


def _sources(folder: Path, config: ImportConfig) -> Sources:
    if not folder.is_dir():
        raise DatasetError(folder, None, None, "a folder")
    match config.form:
        case Form.TABULAR:
            return tabular_sources(folder, config.mapping)
        case Form.RECBOLE:
            return recbole_sources(folder, config.mapping)
    if config.mapping != ColumnMap():
        raise MappingError(f"the columns of {config.form} are known: they cannot be mapped")
    of_form = {Form.AMAZON: amazon_sources, Form.YELP: yelp_sources, Form.XREC: xrec_sources}
    return of_form[config.form](folder)


def _kept(staging: Staging, config: ImportConfig) -> Kept:
    """Which interactions are written, and in which part each of them is."""
    columns = staging.columns["interactions"]
    log = interactions_of(staging.database, [name for name in ("rating", "timestamp", "split") if name in columns])
    num_users, num_items = (int(log_rows.max()) + 1 for log_rows in log.pairs)
    core = k_core(log.pairs, num_users, num_items, config.k_core) if config.k_core > 1 else None
    kept = np.ones(len(log), bool) if core is None else core.has(log.pairs)
    if not kept.any():
        raise DatasetError("interactions", None, None, f"users and items with {config.k_core} of each other", "none")
    return Kept(kept, _parts(log, kept, num_items, config), core)


def _parts(
    log: Interactions, kept: NDArray[np.bool_], num_items: int, config: ImportConfig
) -> NDArray[np.uint8] | None:
    """The part of every interaction that is kept (0 of the others)."""
    if config.split_by is SplitBy.NONE:
        return None
    if config.split_by is SplitBy.AUTO and log.splits is not None:
        return log.splits
    if config.split_by is SplitBy.TIME and log.timestamps is None:
        raise MappingError("--split time: the interactions have no times")
    by_time = config.split_by is not SplitBy.RANDOM
    of_kept = Interactions(
        log.users[kept],
        log.items[kept],
        None if log.ratings is None else log.ratings[kept],
        log.timestamps[kept] if by_time and log.timestamps is not None else None,
    )
    parts = np.zeros(len(log), np.uint8)
    parts[kept] = parts_of(of_kept, num_items, config.split)
    return parts


def _card(
    folder: Path, name: str, staging: Staging, kept: Kept, config: ImportConfig, complaints: Complaints
) -> DataCard:
    database = staging.database
    open_folder(folder, database, config.split)
    figures = section_figures(database, config.split)
    left_out = {"malformed_rows": complaints.count}
    if kept.core is not None:
        left_out |= {
            "interactions_outside_the_core": int((~kept.interactions).sum()),
            "users_outside_the_core": int((~kept.core.users).sum()),
            "items_outside_the_core": int((~kept.core.items).sum()),
        }
    return DataCard(
        name=name,
        figures={**figures, "left out": left_out},
        quantiles=quantiles(database),
        notes=tuple(notes_on(figures)),
        malformed=tuple(complaints.listed),
    )
