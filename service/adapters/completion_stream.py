"""A streamed completion of a vLLM server, put together from its server-sent events."""

import json
from collections.abc import Mapping
from typing import Any, Final

from service.errors import LanguageModelUnavailable
from service.types import GenerationTimes

UNKNOWN_FORM: Final = "it answered in a form that is not known"
_EVENT: Final = "data:"
_END: Final = "[DONE]"


class CompletionStream:
    """Takes the lines of one answer as they come; afterwards `choice` is what the same answer is in one piece."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the server said that this was all."""
        self.times: GenerationTimes | None = None
        """Where its time went, when the server tells."""
        self._texts: list[str] = []
        self._token_ids: list[int] = []
        self._finish_reason: str | None = None

    @property
    def choice(self) -> dict[str, Any]:
        """Text, ids and why it ended. Raises LanguageModelUnavailable where the answer broke off."""
        if not self.ended:
            raise LanguageModelUnavailable("its answer broke off")
        return {"text": "".join(self._texts), "token_ids": self._token_ids, "finish_reason": self._finish_reason}

    def take(self, line: str) -> str:
        """The text that this line adds; empty for most. Raises LanguageModelUnavailable for a form not known."""
        if not line.startswith(_EVENT):  # blank lines between events, comments
            return ""
        data = line.removeprefix(_EVENT).strip()
        if data == _END:
            self.ended = True
            return ""
        try:
            chunk = json.loads(data)
            self.times = times_of(chunk) or self.times
            return "".join([self._add(choice) for choice in chunk["choices"]])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LanguageModelUnavailable(UNKNOWN_FORM) from error

    def _add(self, choice: Mapping[str, Any]) -> str:
        text = str(choice["text"])
        self._texts.append(text)
        self._token_ids += choice.get("token_ids") or []
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return text


def times_of(answer: Mapping[str, Any]) -> GenerationTimes | None:
    """What a server started with --enable-per-request-metrics tells of one prompt's time; None where it tells none."""
    told = answer.get("metrics")
    if told is None:
        return None
    names = ("queue_time_ms", "time_to_first_token_ms", "generation_time_ms")
    return GenerationTimes(*(float(told.get(name) or 0.0) / 1e3 for name in names))
