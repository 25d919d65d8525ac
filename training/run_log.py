"""A run as TensorBoard reads it: losses by step, and the figures of the report.

Written through tensorboardX, which is 0.6 MB; torch.utils.tensorboard would bring TensorBoard itself, gRPC and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from training.toml_fields import ConfigError

LOSSES = ("nll", "alignment")
"""Names of the columns of losses in a report."""
FIGURES = ("ranking", "zero_shot", "order", "codebooks", "explanations", "rerank")
"""Parts of a report whose numbers are logged."""


UNFIT = re.compile(r"[^-/\w.]")
"""What a name may not have ("recall@20", "tokens only"): written as _."""


class Point(NamedTuple):
    """A number of a run under a name with slashes, and the step or epoch that it belongs to."""

    name: str
    value: float
    step: int


def check_log_dir(folder: Path | None) -> None:
    """ConfigError, before hours of training, where a log is wanted and tensorboardX is not installed."""
    if folder is not None:
        _writer_class()


def write_log(report: Mapping[str, Any], folder: Path) -> None:
    """Write what a report tells into an event file in `folder`, beside those of other runs. ConfigError as above."""
    with _writer_class()(str(folder)) as writer:
        for point in points(report):
            writer.add_scalar(point.name, point.value, point.step)


def points(report: Mapping[str, Any]) -> Iterator[Point]:
    """All that is logged of a report: epochs, losses of the projector and its controls, and every figure."""
    for epoch in report.get("vectors", {}).get("epochs", ()):
        numbers = {"loss": epoch["loss"], **(epoch["valid"] or {})}
        yield from _numbers("vectors", numbers, epoch["number"])
    trained = {"projector": report.get("projector_losses", ()), **report.get("control_losses", {})}
    for name, losses in trained.items():
        for step, row in enumerate(losses, 1):
            for loss, value in zip(LOSSES, row, strict=True):
                yield Point(f"{name}/{loss}", float(value), step)
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
