"""A run's log: what a report tells, as an event file that reads back."""

import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from training.run_log import check_log_dir, points, write_log
from training.toml_fields import ConfigError

REPORT = {
    "name": "toy",
    "vectors": {
        "epochs": [
            {"number": 0, "loss": None, "valid": {"ndcg@20": 0.1}},
            {"number": 1, "loss": 0.7, "valid": None},
        ]
    },
    "projector_losses": [[3.0, 0.5], [2.5, 0.25]],
    "control_losses": {"random": [[3.5, 0.125]]},
    "ranking": {"test": {"vectors": {"recall@20": 0.25, "users": 7}}},
    "codebooks": {"item": {"lift": [2.0, None, 1.5], "dependence": [[1.0, 0.0], [0.0, 1.0]]}},
    "rerank": {},
}
EXPECTED = {
    ("vectors/ndcg_20", 0): 0.1,
    ("vectors/loss", 1): 0.7,
    ("projector/nll", 1): 3.0,
    ("projector/alignment", 1): 0.5,
    ("projector/nll", 2): 2.5,
    ("projector/alignment", 2): 0.25,
    ("random/nll", 1): 3.5,
    ("random/alignment", 1): 0.125,
    ("ranking/test/vectors/recall_20", 0): 0.25,
    ("ranking/test/vectors/users", 0): 7.0,
    ("codebooks/item/lift/0", 0): 2.0,
    ("codebooks/item/lift/2", 0): 1.5,
}


def events(folder: Path) -> list[Event]:
    """Of the one event file in a folder: records of an 8-byte length, its checksum, data and the data's checksum."""
    (path,) = folder.iterdir()
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        length = int.from_bytes(data[place : place + 8], "little")
        found.append(Event.FromString(data[place + 12 : place + 12 + length]))
        place += 12 + length + 4
    return found


def test_losses_and_figures_are_points_by_step():
    """Epochs, each training's losses and every number; texts, None and matrices are left out."""
    assert {(point.name, point.step): point.value for point in points(REPORT)} == EXPECTED


def test_the_log_reads_back(tmp_path):
    """Every point is an event of the file, under its name and step."""
    write_log(REPORT, tmp_path)
    found = {(value.tag, event.step): value.simple_value for event in events(tmp_path) for value in event.summary.value}
    assert found == pytest.approx(EXPECTED)


def test_a_log_without_its_extra_is_refused_before_training(monkeypatch, tmp_path):
    """The message says what to install; without a log nothing is asked for."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    check_log_dir(None)
    with pytest.raises(ConfigError, match=r"pip install 'beat-serve\[tensorboard\]'"):
        check_log_dir(tmp_path)
