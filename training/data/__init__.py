"""Data sets: the canonical form, one reader a file, the leak-free split."""

from training.data.build import Tables, build_dataset
from training.data.canonical import read_dataset, write_dataset
from training.data.dataset import Dataset, Explanations, Interactions, ItemTable, Pairs, Rows, digest
from training.data.errors import DataError, DatasetError, LeakError
from training.data.movielens import read_movielens
from training.data.rows import GivenRows, read_rows
from training.data.split import Split, SplitConfig, check_leaks, held_out_nodes, item_roles, split
from training.data.subset import Subset, subset
from training.data.tabular import read_tabular
from training.data.xrec import read_xrec

__all__ = [
    "DataError",
    "Dataset",
    "DatasetError",
    "Explanations",
    "GivenRows",
    "Interactions",
    "ItemTable",
    "LeakError",
    "Pairs",
    "Rows",
    "Split",
    "SplitConfig",
    "Subset",
    "Tables",
    "build_dataset",
    "check_leaks",
    "digest",
    "held_out_nodes",
    "item_roles",
    "read_dataset",
    "read_movielens",
    "read_rows",
    "read_tabular",
    "read_xrec",
    "split",
    "subset",
    "write_dataset",
]
