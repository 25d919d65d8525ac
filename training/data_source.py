"""The data set that a run's config names."""

from __future__ import annotations

from pathlib import Path

from training.config import ConfigError, DataConfig
from training.data import Dataset, read_dataset, read_movielens, read_tabular, read_xrec


def read_data(config: DataConfig, folder: Path | None = None) -> Dataset:
    """The data set in `folder` (the config's own unless given), read as the config says.

    movielens is downloaded and needs no folder. ConfigError where one is needed and there is none; DatasetError,
    DownloadError as of the readers.
    """
    folder = folder or (Path(config.folder).expanduser() if config.folder else None)
    if folder is not None and not folder.is_dir() and config.reader != "movielens":
        raise ConfigError(f"{folder}: no such data folder")
    if config.reader == "movielens":
        return read_movielens(folder)
    if folder is None:
        raise ConfigError(f"data.folder: the reader {config.reader!r} needs a folder: name it here or with --data DIR")
    if config.reader == "xrec":
        return read_xrec(folder)
    return read_tabular(folder) if config.reader == "tabular" else read_dataset(folder)
