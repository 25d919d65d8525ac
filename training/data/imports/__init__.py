"""Bringing one's own data: files of many forms -> the canonical dataset folder, with a data card."""

from training.data.imports.card import DataCard
from training.data.imports.config import Form, ImportConfig, SplitBy
from training.data.imports.importer import import_dataset
from training.data.imports.mapping import ColumnMap, TimeUnit

__all__ = ["ColumnMap", "DataCard", "Form", "ImportConfig", "SplitBy", "TimeUnit", "import_dataset"]
