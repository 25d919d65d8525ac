"""What the service counts, for Prometheus: every request and stage, the failed ones too."""

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, get_args

from prometheus_client import CollectorRegistry, generate_latest

from model_store.artifact import INDEX_FILE
from model_store.manifest import Manifest
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.explanation import RejectReason
from service.metrics import (
    BreakerState,
    Cache,
    CacheResult,
    GenerationOutcome,
    Metrics,
    Outcome,
    RedisUse,
    Stage,
)
from service.types import FallbackReason, GenerationTimes, Source

_MAX_SERIES: Final = 1024
_INTERVAL: Final = ("mean", "low", "high")
_OUTCOMES: Final[Mapping[type[BaseException], GenerationOutcome]] = MappingProxyType(
    {
        LanguageModelUnavailable: "unavailable",
        LanguageModelTimeout: "timeout",
        Overloaded: "overloaded",
        CancelledError: "cancelled",
        GeneratorExit: "cancelled",  # a stream that was left
    }
)


class Telemetry:
    """One act for everything worth counting. Each costs about a microsecond: series are looked up once and kept."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        requests, explanations = self._metrics.requests, self._metrics.explanations
        engine, stores = self._metrics.engine, self._metrics.stores
        # labels() takes a lock and costs as much as observing
        self._request = lru_cache(_MAX_SERIES)(requests.duration.labels)
        self._stage = lru_cache(_MAX_SERIES)(requests.stage_duration.labels)
        self._fallback = {reason: requests.fallbacks.labels(reason) for reason in get_args(FallbackReason)}
        self._rejection = {reason: explanations.rejections.labels(reason) for reason in get_args(RejectReason)}
        self._explanation = {source: explanations.explanations.labels(source) for source in get_args(Source)}
        self._generation = {outcome: engine.generations.labels(outcome) for outcome in get_args(GenerationOutcome)}
        self._lookup = {
            (cache, result): stores.lookups.labels(cache, result)
            for cache in get_args(Cache)
            for result in get_args(CacheResult)
        }
        self._redis_failure = {use: stores.redis_failures.labels(use) for use in get_args(RedisUse)}
        self._load = {outcome: stores.loads.labels(outcome) for outcome in get_args(Outcome)}
        self._breaker = {state: engine.breaker.labels(state) for state in get_args(BreakerState)}
        self.set_breaker("closed")
        self.on_stage: Callable[[Stage, float, Outcome, float], None] | None = None
        """Told of every stage: its seconds, its outcome, and how many seconds ago it ended; for traces."""

    @property
    def registry(self) -> CollectorRegistry:
        """Where the metrics are."""
        return self._metrics.registry

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    # ------------------------------------------------------------ requests

    def request_begins(self) -> None:
        """One more request in flight; `count_request` ends it."""
        self._metrics.requests.in_flight.inc()

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """One answered (or failed) request; `route` is the path template, never the raw path."""
        self._metrics.requests.in_flight.dec()
        self._request(route, str(status)).observe(seconds)

    def count_rate_limited(self) -> None:
        """One request refused because its caller asks too often."""
        self._metrics.requests.rate_limited.inc()

    def stage(self, name: Stage, timings_ms: dict[str, float]) -> AbstractContextManager[None]:
        """Time a block: into the stage histogram, whether it succeeds or raises, and into `timings_ms[name]`."""
        return _TimedStage(self, name, timings_ms)

    def observe_stage(self, name: Stage, seconds: float, outcome: Outcome = "ok", *, ended_s_ago: float = 0.0) -> None:
        """A stage that has ended."""
        self._stage(name, outcome).observe(seconds)
        if self.on_stage is not None:
            self.on_stage(name, seconds, outcome, ended_s_ago)

    def observe_generation(self, times: GenerationTimes) -> None:
        """The stages of a generation that ended now, as the engine timed them."""
        self.observe_stage("queue", times.queue_s, ended_s_ago=times.first_token_s + times.decode_s)
        self.observe_stage("first_token", times.first_token_s, ended_s_ago=times.decode_s)
        self.observe_stage("decode", times.decode_s)

    def count_fallback(self, reason: FallbackReason) -> None:
        """One recommendation that is not all of what was asked for."""
        self._fallback[reason].inc()

    def count_feedback(self, event: str) -> None:
        """One feedback event taken; `event` is a kind that the schema knows."""
        self._metrics.requests.feedback.labels(event).inc()

    # ------------------------------------------------------------ explanations

    def count_explanation(self, source: Source) -> None:
        """One explanation that was answered from `source`."""
        self._explanation[source].inc()

    def observe_first_token(self, seconds: float) -> None:
        """Time from the request to its text's first token."""
        self._metrics.explanations.first_token.observe(seconds)

    def count_rejection(self, reason: RejectReason) -> None:
        """One generated text that was cut, tried again or replaced."""
        self._rejection[reason].inc()

    # ------------------------------------------------------------ the language model

    @contextmanager
    def generations(self, count: int = 1) -> Iterator[None]:
        """`count` generations under way in the block; what it raises tells their outcome."""
        outcome: GenerationOutcome = "ok"
        self._metrics.engine.in_flight.inc(count)
        try:
            yield
        except BaseException as error:
            outcome = _OUTCOMES.get(type(error), "error")
            raise
        finally:
            self._metrics.engine.in_flight.dec(count)
            self._generation[outcome].inc(count)

    def count_tokens(self, prompt_tokens: int, completion_tokens: int) -> None:
        """What one generation read and wrote."""
        self._metrics.engine.prompt_tokens.inc(prompt_tokens)
        self._metrics.engine.generated_tokens.inc(completion_tokens)

    def observe_step(self, batch_size: int, waiting: int) -> None:
        """One step of the model: prompts that share it, and prompts that wait for a place in it."""
        self._metrics.engine.batch_size.observe(batch_size)
        self._metrics.engine.queue_depth.set(waiting)

    def set_breaker(self, state: BreakerState) -> None:
        """The circuit breaker's state."""
        for name, series in self._breaker.items():
            series.set(name == state)

    # ------------------------------------------------------------ artifact and stores

    def set_artifact(self, manifest: Manifest) -> None:
        """Tell which version is served and what is known of it; an earlier one disappears."""
        stores = self._metrics.stores
        stores.artifact.clear()
        stores.artifact.labels(manifest.version, manifest.dataset, manifest.language_model.name).set(1)
        stores.users.set(manifest.counts["users"])
        stores.index_items.set(manifest.counts["items"])
        index = manifest.files.get(INDEX_FILE)
        stores.index_bytes.set(index.bytes if index else 0)
        stores.swap_margin.clear()
        for labels, margin in _swap_margins(manifest.metrics):
            stores.swap_margin.labels(*labels).set(margin)

    def count_load(self, outcome: Outcome) -> None:
        """One version that was asked to be served: it is now, or it was refused."""
        self._load[outcome].inc()

    def count_lookup(self, cache: Cache, result: CacheResult) -> None:
        """One look-up in a cache."""
        self._lookup[cache, result].inc()

    def count_redis_failure(self, use: RedisUse) -> None:
        """One call to Redis that failed."""
        self._redis_failure[use].inc()

    def set_part_up(self, part: str, up: bool) -> None:
        """Tell whether a part answers."""
        self._metrics.stores.part_up.labels(part).set(up)


class _TimedStage(AbstractContextManager[None]):
    """As a generator it would take twice as long, several times a request."""

    __slots__ = ("_name", "_started", "_telemetry", "_timings_ms")

    def __init__(self, telemetry: Telemetry, name: Stage, timings_ms: dict[str, float]) -> None:
        self._telemetry, self._name, self._timings_ms = telemetry, name, timings_ms

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        self._timings_ms[self._name] = round(seconds * 1e3, 3)
        self._telemetry.observe_stage(self._name, seconds, "ok" if kind is None else "error")


def _swap_margins(metrics: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], float]]:
    """(prompt, swap, bound) and margin, of a manifest's metrics; nothing where training judged no explanations."""
    for prompt, judged in metrics.get("explanations", {}).items():
        # beside the prompts stand other figures
        margins = judged.get("swap_margin", {}) if isinstance(judged, dict) else {}
        for swap, interval in margins.items():
            for bound in _INTERVAL:
                yield (prompt, swap, bound), interval[bound]
