"""A typed client of the service: `BeatClient`, and `AsyncBeatClient` for use within an event loop."""

from service.client.asynchronous import AsyncBeatClient
from service.client.errors import BeatError, Problem, Unreachable
from service.client.events import DeltaEvent, DoneEvent, EvidenceEvent, ExplainEvent, ReplaceEvent
from service.client.synchronous import BeatClient
from service.schemas.explain import ExplainRequest
from service.schemas.feedback import FeedbackEventModel, FeedbackRequest
from service.schemas.recommend import RecommendBatchRequest, RecommendRequest

__all__ = [
    "AsyncBeatClient",
    "BeatClient",
    "BeatError",
    "DeltaEvent",
    "DoneEvent",
    "EvidenceEvent",
    "ExplainEvent",
    "ExplainRequest",
    "FeedbackEventModel",
    "FeedbackRequest",
    "Problem",
    "RecommendBatchRequest",
    "RecommendRequest",
    "ReplaceEvent",
    "Unreachable",
]
