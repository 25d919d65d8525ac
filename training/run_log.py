"""A run as TensorBoard reads it: losses while it trains, and the figures of its report.

Written through tensorboardX, which is 0.6 MB; torch.utils.tensorboard would bring TensorBoard itself, gRPC and more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from training.toml_fields import ConfigError

LOSSES = ("nll", "alignment")
"""Names of the columns of losses in a report."""
FIGURES = ("ranking", "zero_shot", "order", "codebooks", "explanations", "rerank")
"""Parts of a report whose numbers are logged."""
EVENT_FILES = "events.out.tfevents.*"
FLUSH_S = 5
"""Until a point that was told is in the file."""

UNFIT = re.compile(r"[^-/\w.]")
"""What a name may not have ("recall@20", "tokens only"): written as _."""


class Point(NamedTuple):
    """A number of a run under a name with slashes, and the step or epoch that it belongs to."""

    name: str
    value: float
    step: int


Log = Callable[[Point], None]
"""Takes a point of a run."""


def no_log(_: Point) -> None:
    """Where no log is wanted."""


@contextmanager
def opened_log(folder: Path | None) -> Iterator[Log]:
    """A log whose points are in an event file in `folder`, beside earlier ones, FLUSH_S after they are told.

    A point that is there with the same value is left out: a run that was stopped, or that finds stages made, goes on in
    its own curves. ConfigError, before hours of training, if tensorboardX is not installed; without a folder `no_log`.
    """
    if folder is None:
        yield no_log
        return
    writer_class = _writer_class()
    written, files = set(logged(folder)), len(list(folder.glob(EVENT_FILES)))
    # named by the second of its opening: without a number it would replace one of the same second
    with writer_class(str(folder), flush_secs=FLUSH_S, filename_suffix=f".{files}") as writer:

        def add(point: Point) -> None:
            point = point._replace(value=float(np.float32(point.value)))  # as the file keeps it
            if point not in written:
                written.add(point)
                writer.add_scalar(*point)

        yield add


def logged(folder: Path) -> Iterator[Point]:
    """The points in a folder's event files; a record that was cut off ends its file.

    A record is the data's length in 8 bytes, 4 bytes of checksum, the data (an Event) and 4 bytes of its checksum.
    """
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.glob(EVENT_FILES)):
        data, place = path.read_bytes(), 0
        while place + 8 <= len(data):
            first = place + 12
            last = first + int.from_bytes(data[place : place + 8], "little")
            place = last + 4
            if place > len(data):
                break
            event = Event.FromString(data[first:last])
            for value in event.summary.value:
                yield Point(value.tag, value.simple_value, event.step)


def losses_at(name: str, step: int, losses: Iterable[float]) -> Iterator[Point]:
    """What a step of training lost, in the order of LOSSES."""
    for loss, value in zip(LOSSES, losses, strict=True):
        yield Point(f"{name}/{loss}", float(value), step)


def points(report: Mapping[str, Any]) -> Iterator[Point]:
    """All that is logged of a report: epochs, losses of every training, and every figure."""
    for epoch in report.get("vectors", {}).get("epochs", ()):
        numbers = {"loss": epoch["loss"], **(epoch["valid"] or {})}
        yield from _numbers("vectors", numbers, epoch["number"])
    for number, losses in enumerate(report.get("tokenizer_losses", ()), 1):
        yield from _numbers("tokenizer", losses, number)
    trained = {"projector": report.get("projector_losses", ()), **report.get("control_losses", {})}
    for name, losses in trained.items():
        for step, row in enumerate(losses, 1):
            yield from losses_at(name, step, row)
    for part in FIGURES:
        yield from _numbers(part, report.get(part), 0)


def _numbers(name: str, value: Any, step: int) -> Iterator[Point]:
    """The numbers in a part of a report, each under its path; lists by place, matrices left out."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _numbers(f"{name}/{key}", part, step)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            if not isinstance(part, list):
                yield from _numbers(f"{name}/{place}", part, step)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Point(UNFIT.sub("_", name), float(value), step)


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter  # optional: the extra `tensorboard`
    except ImportError as error:
        raise ConfigError("a log needs tensorboardX: pip install 'beat-serve[tensorboard]'") from error
    return SummaryWriter
