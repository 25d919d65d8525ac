"""A folder appears whole or not at all."""

from pathlib import Path

import pytest

from training.data.folders import whole_folder


def test_an_interrupted_writer_leaves_the_former_folder_and_nothing_else(tmp_path: Path) -> None:
    """Whatever was written before the failure is gone; what stood there stays."""
    target = tmp_path / "data"
    target.mkdir()
    (target / "old").write_text("old")

    def write_half() -> None:
        with whole_folder(target) as aside:
            (aside / "new").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in target.iterdir()] == ["old"]


def test_a_finished_writer_replaces_the_former_folder(tmp_path: Path) -> None:
    """Nothing of the former one remains."""
    target = tmp_path / "deep" / "data"
    for name in ("old", "new"):
        with whole_folder(target) as aside:
            (aside / name).write_text(name)

    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["data"]
