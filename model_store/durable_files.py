"""Files and folders that are whole after a crash, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ASIDE = ".aside-"


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and force it to disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the file's place at one stroke: a reader sees the old file or the new one, never a mixture."""
    aside = path.with_name(f".{path.name}.new")
    write_file(aside, data)
    aside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the folder's entries (new files, renames) to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def folder_aside(parent: Path) -> Iterator[Path]:
    """A new, hidden folder in `parent` to be filled and swapped in; what is left of it in the end is removed."""
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=parent))
    aside.chmod(0o755)  # mkdtemp's 0700 would lock out a service that runs as another user
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def swap_in(aside: Path, target: Path) -> None:
    """Give the filled folder its name at one stroke; a folder that had the name is removed."""
    sync_folder(aside)
    with folder_aside(target.parent) as damaged:
        if target.exists():
            target.rename(damaged / target.name)
        aside.rename(target)
        sync_folder(target.parent)


def remove_stale(parent: Path) -> None:
    """Remove what interrupted writers left in `parent`. Only for who holds the lock that all writers hold."""
    for folder in parent.glob(f"{_ASIDE}*"):
        shutil.rmtree(folder, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hex digest of a file. It is read, not mapped, so that checking costs no resident memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
