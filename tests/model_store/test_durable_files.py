import hashlib
from pathlib import Path

import pytest

from model_store.durable_files import folder_aside, remove_stale, replace_file, sha256_of, swap_in, write_file


def test_a_replaced_file_has_the_new_bytes_and_leaves_nothing_behind(tmp_path):
    """Old content goes at one stroke."""
    replace_file(tmp_path / "latest.json", b"old")
    replace_file(tmp_path / "latest.json", b"new")
    assert (tmp_path / "latest.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["latest.json"]


def test_a_reader_that_holds_the_old_file_goes_on_reading_it(tmp_path):
    """Replacing renames; it never writes into a file that someone reads."""
    replace_file(tmp_path / "f", b"old")
    with (tmp_path / "f").open("rb") as reader:
        replace_file(tmp_path / "f", b"new")
        assert reader.read() == b"old"


def test_a_folder_aside_is_hidden_readable_by_others_and_gone_in_the_end(tmp_path):
    """Also when the writer fails."""

    def fail(aside: Path) -> None:
        write_file(aside / "f", b"x")
        assert aside.name.startswith(".")
        assert aside.stat().st_mode & 0o777 == 0o755
        raise RuntimeError

    with pytest.raises(RuntimeError), folder_aside(tmp_path) as aside:
        fail(aside)
    assert list(tmp_path.iterdir()) == []


def test_swapping_in_replaces_a_folder_that_has_the_name(tmp_path):
    """The old one is gone entirely, no file of it stays among the new ones."""
    (tmp_path / "v").mkdir()
    write_file(tmp_path / "v" / "old", b"x")
    with folder_aside(tmp_path) as aside:
        write_file(aside / "new", b"y")
        swap_in(aside, tmp_path / "v")
    assert [path.name for path in (tmp_path / "v").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_only_folders_aside_are_stale(tmp_path):
    """Published folders and files stay."""
    (tmp_path / ".aside-123").mkdir()
    write_file(tmp_path / ".aside-123" / "f", b"x")
    (tmp_path / "version").mkdir()
    remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["version"]


def test_sha256_is_that_of_the_bytes(tmp_path):
    """Over more than one read."""
    data = bytes(range(256)) * 5000
    write_file(tmp_path / "f", data)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(data).hexdigest()
