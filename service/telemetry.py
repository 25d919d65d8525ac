"""What the service counts, for Prometheus: every request and stage, the failed ones too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CacheResult = Literal["hit", "miss", "error"]

_REQUEST_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_BUCKETS_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 2.5, 5, 10, 30, 60)
_MAX_SERIES = 1024


class Telemetry:
    """The service's metrics, in a registry of their own so that two applications in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, CPU, open files
        self._requests = Histogram(
            "beat_request_seconds",
            "Time to answer a request, by route and status.",
            ("route", "status"),
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._stages = Histogram(
            "beat_stage_seconds",
            "Time one stage of a request took, by outcome (ok or error).",
            ("stage", "outcome"),
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._explanations = Counter(
            "beat_explanations", "Explanations answered, by source.", ("source",), registry=self.registry
        )
        self._cuts = Counter(
            "beat_generations_rejected", "Generated texts not used as they came.", ("reason",), registry=self.registry
        )
        self._token_cache = Counter(
            "beat_token_cache_requests", "Token look-ups: hit, miss or error.", ("result",), registry=self.registry
        )
        self._artifact = Gauge(
            "beat_artifact_info",
            "The served version; always 1.",
            ("version", "dataset", "language_model"),
            registry=self.registry,
        )
        # labels() takes a lock and costs as much as observing: these three are asked in every request.
        self._request_series = lru_cache(_MAX_SERIES)(self._requests.labels)
        self._stage_series = lru_cache(_MAX_SERIES)(self._stages.labels)
        self._token_cache_series = lru_cache(_MAX_SERIES)(self._token_cache.labels)
        self._part_up = Gauge("beat_part_up", "1 while the part answers, else 0.", ("part",), registry=self.registry)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """One answered (or failed) request; `route` is the path template, never the raw path."""
        self._request_series(route, str(status)).observe(seconds)

    def count_explanation(self, source: str) -> None:
        """One explanation that was answered from `source`."""
        self._explanations.labels(source).inc()

    def count_rejection(self, reason: str) -> None:
        """One generated text that was cut or replaced."""
        self._cuts.labels(reason).inc()

    def count_token_lookup(self, result: CacheResult) -> None:
        """One look-up in the token cache."""
        self._token_cache_series(result).inc()

    def set_artifact(self, version: str, dataset: str, language_model: str) -> None:
        """Tell which version is served; an earlier one disappears."""
        self._artifact.clear()
        self._artifact.labels(version, dataset, language_model).set(1)

    def set_part_up(self, part: str, up: bool) -> None:
        """Tell whether a part answers."""
        self._part_up.labels(part).set(up)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    @contextmanager
    def stage(self, name: str, timings_ms: dict[str, float]) -> Iterator[None]:
        """Time a block: into the stage histogram, whether it succeeds or raises, and into `timings_ms[name]`."""
        started, outcome = time.perf_counter(), "error"
        try:
            yield
            outcome = "ok"
        finally:
            seconds = time.perf_counter() - started
            timings_ms[name] = round(seconds * 1e3, 3)
            self._stage_series(name, outcome).observe(seconds)
