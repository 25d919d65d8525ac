"""Every metric of the service, declared once: name, meaning, labels, buckets. What happens to them is in `telemetry`.

Base units (seconds, bytes, nats), few labels, and every label has few values: a route is a path template, never a path.
"""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

Stage = Literal["tokens", "retrieval", "rerank", "evidence", "prompt", "queue", "first_token", "decode", "total"]
"""Parts of an answer's time, in the order in which they pass; `total` holds the others."""
Outcome = Literal["ok", "error"]
Cache = Literal["tokens", "explanations"]
CacheResult = Literal["hit", "miss", "error"]
BreakerState = Literal["closed", "half_open", "open"]
RedisUse = Literal["tokens", "explanations", "feedback", "rate_limit"]
GenerationOutcome = Literal["ok", "unavailable", "timeout", "overloaded", "cancelled", "error"]

REQUEST_BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60)
"""On two cores a recommendation takes 1 ms, an explanation 2 s; the alerts' limits are at 0.05 and 5."""
STAGE_BUCKETS_S: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),  # tokens 0.1 ms, retrieval and evidence 0.4 ms
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30),  # the language model's
)
FIRST_TOKEN_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)
BATCH_BUCKETS: Final = (1, 2, 4, 8, 12, 16, 24, 32, 64)


class RequestMetrics:
    """What callers see."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "beat_request_duration_seconds",
            "Time to answer a request to its last byte, failed ones included.",
            ("route", "status"),
            buckets=REQUEST_BUCKETS_S,
            registry=registry,
        )
        self.in_flight = Gauge("beat_requests_in_flight", "Requests being answered now.", registry=registry)
        self.rate_limited = Counter(
            "beat_rate_limited_requests", "Requests refused by a caller's rate limit.", registry=registry
        )
        self.stage_duration = Histogram(
            "beat_stage_duration_seconds",
            "Time that one stage of an answer took, failed ones included.",
            ("stage", "outcome"),
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        )
        self.fallbacks = Counter(
            "beat_recommend_fallbacks",
            "Recommendations that are not all of what was asked for, by reason.",
            ("reason",),
            registry=registry,
        )
        self.feedback = Counter(
            "beat_feedback_events", "Feedback events taken, by kind of event.", ("event",), registry=registry
        )


class ExplanationMetrics:
    """What is written, and what becomes of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.explanations = Counter(
            "beat_explanations", "Explanations answered, by who wrote the text.", ("source",), registry=registry
        )
        self.first_token = Histogram(
            "beat_time_to_first_token_seconds",
            "Time from a request for an explanation to the first token of its text.",
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=registry,
        )
        self.rejections = Counter(
            "beat_grounding_rejections",
            "Generated texts that were cut, tried again or replaced, by what was wrong with them.",
            ("reason",),
            registry=registry,
        )


class EngineMetrics:
    """The language model as this service sees it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.generations = Counter(
            "beat_engine_generations", "Generations that ended, by outcome.", ("outcome",), registry=registry
        )
        self.in_flight = Gauge("beat_engine_generations_in_flight", "Generations under way now.", registry=registry)
        self.prompt_tokens = Counter(
            "beat_engine_prompt_tokens", "Positions of the prompts that were answered.", registry=registry
        )
        self.generated_tokens = Counter("beat_engine_generated_tokens", "Tokens written.", registry=registry)
        self.batch_size = Histogram(
            "beat_engine_batch_size",
            "Prompts that shared one step of the model in this process.",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.queue_depth = Gauge(
            "beat_engine_queue_depth", "Prompts that wait for a place in the batch.", registry=registry
        )
        self.breaker = Gauge(
            "beat_breaker_state",
            "1 for the state that the language model's circuit breaker is in, 0 for the others.",
            ("state",),
            registry=registry,
        )


class StoreMetrics:
    """What is served, and what it is kept in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.artifact = Gauge(
            "beat_artifact_info",
            "The served model version; always 1.",
            ("version", "dataset", "language_model"),
            registry=registry,
        )
        self.users = Gauge("beat_artifact_users", "Users that the served version knows.", registry=registry)
        self.index_items = Gauge("beat_index_items", "Items in the served version's index.", registry=registry)
        self.index_bytes = Gauge(
            "beat_index_size_bytes", "Size of the index file; 0 when the index is made at start.", registry=registry
        )
        self.swap_margin = Gauge(
            "beat_artifact_swap_margin_nats",
            "How much likelier the LLM finds an explanation with the right tokens than with another's, per text token, "
            "as measured when the served version was trained: mean, and its 95 % interval.",
            ("prompt", "swap", "bound"),
            registry=registry,
        )
        self.loads = Counter(
            "beat_artifact_loads", "Model versions asked to be served, by outcome.", ("outcome",), registry=registry
        )
        self.lookups = Counter(
            "beat_cache_lookups", "Look-ups by cache and result.", ("cache", "result"), registry=registry
        )
        self.redis_failures = Counter(
            "beat_redis_failures", "Calls to Redis that failed, by what they were for.", ("use",), registry=registry
        )
        self.part_up = Gauge("beat_part_up", "1 while the part answers, else 0.", ("part",), registry=registry)


class Metrics:
    """All of them, in a registry of their own so that two applications in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, CPU, open files
        self.requests = RequestMetrics(self.registry)
        self.explanations = ExplanationMetrics(self.registry)
        self.engine = EngineMetrics(self.registry)
        self.stores = StoreMetrics(self.registry)
