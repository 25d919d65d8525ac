"""A streamed explanation as it arrives."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import orjson
from pydantic import BaseModel

from service.client.errors import problem_of
from service.schemas.explain import EvidenceModel, UsageModel


class EvidenceEvent(BaseModel):
    """What is known before any text."""

    user_id: int | str | None
    item_id: int | str
    title: str
    evidence: EvidenceModel
    unknown_items: list[int | str]
    model_version: str


class DeltaEvent(BaseModel):
    """A piece of the text."""

    text: str


class ReplaceEvent(BaseModel):
    """The pieces so far do not stand: this is the text."""

    text: str
    source: Literal["llm", "cache", "template"]


class DoneEvent(BaseModel):
    """The whole text, and how it was made."""

    user_id: int | str | None
    item_id: int | str
    title: str
    text: str
    source: Literal["llm", "cache", "template"]
    fallback: str | None
    model_version: str
    usage: UsageModel
    finish_reason: Literal["stop", "length"]
    timings_ms: dict[str, float]


ExplainEvent = EvidenceEvent | DeltaEvent | ReplaceEvent | DoneEvent

_EVENTS: Final[dict[str, type[ExplainEvent]]] = {
    "evidence": EvidenceEvent,
    "delta": DeltaEvent,
    "replace": ReplaceEvent,
    "done": DoneEvent,
}


class EventReader:
    """Server-sent events out of the lines of a body (WHATWG HTML, 9.2.6), as far as the service uses them."""

    def __init__(self) -> None:
        self._name, self._data = "", ""

    def read(self, line: str) -> Iterator[ExplainEvent]:
        """The event that this line ends, if it ends one. Raises Problem for an event `error`."""
        if line.startswith("event: "):
            self._name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            self._data += line.removeprefix("data: ")
        elif not line and self._data:
            name, data = self._name, self._data
            self._name, self._data = "", ""
            if name == "error":
                raise problem_of(orjson.loads(data)["status"], data.encode())
            if name in _EVENTS:  # a later service may tell more
                yield _EVENTS[name].model_validate_json(data)

    def read_all(self, lines: Iterable[str]) -> Iterator[ExplainEvent]:
        """All events of these lines."""
        for line in lines:
            yield from self.read(line)
