"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` by a rename when the block ends well, and vanishes otherwise.

    What stood at `target` is replaced. Writers side by side do no harm: the last to end wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        aside, former = Path(scratch) / "new", Path(scratch) / "former"
        aside.mkdir()
        yield aside
        if target.exists():
            shutil.move(target, former)  # goes with `scratch`
        aside.rename(target)
