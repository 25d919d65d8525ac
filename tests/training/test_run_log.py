"""A run's log: what a report tells, as an event file that reads back."""

import sys
from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep

import pytest
from tensorboardX.proto.event_pb2 import Event

from training.run_log import Point, logged, opened_log, points
from training.toml_fields import ConfigError

REPORT = {
    "name": "toy",
    "vectors": {
        "epochs": [
            {"number": 0, "loss": None, "valid": {"ndcg@20": 0.1}},
            {"number": 1, "loss": 0.7, "valid": None},
        ]
    },
    "tokenizer_losses": [{"edges": 0.5, "macro": 6.25}],
    "projector_losses": [[3.0, 0.5], [2.5, 0.25]],
    "control_losses": {"random": [[3.5, 0.125]]},
    "ranking": {"test": {"vectors": {"recall@20": 0.25, "users": 7}}},
    "codebooks": {"item": {"lift": [2.0, None, 1.5], "dependence": [[1.0, 0.0], [0.0, 1.0]]}},
    "rerank": {},
}
EXPECTED = {
    ("vectors/ndcg_20", 0): 0.1,
    ("vectors/loss", 1): 0.7,
    ("tokenizer/edges", 1): 0.5,
    ("tokenizer/macro", 1): 6.25,
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
    """Of the event files in a folder: records of an 8-byte length, its checksum, data and the data's checksum."""
    found = []
    for path in folder.iterdir():
        data, place = path.read_bytes(), 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 8], "little")
            if place + 12 + length + 4 <= len(data):
                found.append(Event.FromString(data[place + 12 : place + 12 + length]))
            place += 12 + length + 4
    return found


def test_losses_and_figures_are_points_by_step():
    """Epochs, each training's losses and every number; texts, None and matrices are left out."""
    assert {(point.name, point.step): point.value for point in points(REPORT)} == EXPECTED


def tell(folder: Path, told: Iterable[Point]) -> None:
    """All of these, by a log of their own."""
    with opened_log(folder) as log:
        for point in told:
            log(point)


def read(folder: Path) -> dict[tuple[str, int], float]:
    """By name and step; each may stand there once only."""
    found = [(value.tag, event.step, value.simple_value) for event in events(folder) for value in event.summary.value]
    assert len(found) == len({(tag, step) for tag, step, _ in found})
    return {(tag, step): value for tag, step, value in found}


def test_the_log_reads_back(tmp_path):
    """Every point is an event of the file, under its name and step, and `logged` finds it."""
    tell(tmp_path, points(REPORT))
    assert read(tmp_path) == pytest.approx(EXPECTED)
    assert {(point.name, point.step): point.value for point in logged(tmp_path)} == read(tmp_path)


def test_a_point_is_there_before_the_log_is_closed(tmp_path):
    """A person can watch: it comes within some seconds, with nothing told after it."""
    with opened_log(tmp_path) as log:
        log(Point("projector/nll", 0.5, 1))
        until = monotonic() + 120
        while not (found := list(logged(tmp_path))) and monotonic() < until:
            sleep(0.1)
    assert found == [Point("projector/nll", 0.5, 1)]


def test_a_run_that_was_stopped_goes_on_in_its_own_curve(tmp_path):
    """Steps that are made again are there once; the half of a record that a kill left is passed over."""
    told = [Point("projector/nll", 1 / step, step) for step in range(1, 8)]
    tell(tmp_path, told[:5])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    tell(tmp_path, told[3:])
    assert sorted(read(tmp_path)) == [("projector/nll", step) for step in range(1, 8)]


def test_another_value_is_told_all_the_same(tmp_path):
    """What another config makes of the same step is not kept from view."""
    tell(tmp_path, [Point("projector/nll", 3.0, 1)])
    tell(tmp_path, [Point("projector/nll", 2.0, 1)])
    assert [point.value for point in logged(tmp_path)] == [3.0, 2.0]


def test_a_log_without_its_extra_is_refused_before_training(monkeypatch, tmp_path):
    """The message says what to install; without a log nothing is asked for."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with opened_log(None) as log:
        log(Point("projector/nll", 3.0, 1))
    with pytest.raises(ConfigError, match=r"pip install 'beat-serve\[tensorboard\]'"), opened_log(tmp_path):
        pass
