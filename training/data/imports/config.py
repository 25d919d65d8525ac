"""ImportConfig: what an import is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from training.data.imports.mapping import ColumnMap
from training.data.split import SplitConfig


class Form(StrEnum):
    """What the files to import are."""

    TABULAR = "tabular"
    RECBOLE = "recbole"
    AMAZON = "amazon"
    YELP = "yelp"
    XREC = "xrec"


class SplitBy(StrEnum):
    """By what interactions are held out."""

    AUTO = "auto"
    """The data's own split; without one by time, without times at random."""
    TIME = "time"
    """Each user's latest."""
    RANDOM = "random"
    """Some of each user's."""
    NONE = "none"
    """No split is written: every training run makes the one that its config says."""


@dataclass(frozen=True)
class ImportConfig:
    """How files become a data set."""

    form: Form
    """What the files are."""
    mapping: ColumnMap = field(default_factory=ColumnMap)
    """What their columns are: of tabular and recbole; the other forms say it themselves."""
    name: str = ""
    """Of the data set; "": that of its folder."""
    k_core: int = 0
    """Distinct items that every user must have, and users that every item must have; below 2 all are kept."""
    split_by: SplitBy = SplitBy.AUTO
    """How interactions are held out."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """How many of them, from which rating on, and which seed."""
    max_malformed: int = 0
    """Rows that may be malformed and left out; with more the import fails."""
