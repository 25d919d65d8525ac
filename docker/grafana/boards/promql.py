"""Pieces of PromQL that the panels share. All figures are of the instances that serve the chosen model versions."""

from typing import Final

SERVED: Final = 'on (job, instance) group_left () beat_artifact_info{version=~"$version"}'
"""Keeps the instances that serve a chosen version, and changes no value: the info metric is always 1."""


def gauge(name: str) -> str:
    """Its value at every instance that serves a chosen version."""
    return f"{name} * {SERVED}"


def rate(counter: str) -> str:
    """How much the counter grows in a second, at every instance that serves a chosen version."""
    return f"rate({counter}[$__rate_interval]) * {SERVED}"


def total(counter: str, *by: str) -> str:
    """How much the counter grows in a second, summed over the instances; `by` keeps these labels apart."""
    return f"sum{_by(by)}({rate(counter)})"


def quantile(q: float, histogram: str, *by: str) -> str:
    """An estimate of the quantile, from the histogram's buckets of all instances together."""
    return f"histogram_quantile({q}, {total(_bucket(histogram), 'le', *by)})"


def mean(histogram: str, *by: str) -> str:
    """The mean of what was observed."""
    name, labels = _split(histogram)
    return f"{total(f'{name}_sum{labels}', *by)} / {total(f'{name}_count{labels}', *by)}"


def share_within(limit: str, histogram: str, labels: str) -> str:
    """The share of what was observed that is not above the limit, which is one of the buckets' bounds."""
    bucket = f'{histogram}_bucket{{{labels},le=~"{limit}|{limit}[.]0"}}'  # Prometheus 3 writes 5.0 where 2 writes 5
    return f"{total(bucket)} / {total(f'{histogram}_count{{{labels}}}')}"


def or_zero(expression: str, label: str) -> str:
    """The expression; a line at zero whose `label` is "none" while it has no series: nothing happened is a fact too."""
    return f'{expression} or on () label_replace(vector(0), "{label}", "none", "", "")'


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _bucket(histogram: str) -> str:
    name, labels = _split(histogram)
    return f"{name}_bucket{labels}"


def _split(histogram: str) -> tuple[str, str]:
    name, brace, rest = histogram.partition("{")
    return name, brace + rest
