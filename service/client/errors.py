"""What a call can end in other than an answer.

BeatError
├── Problem(status, type, title, detail, request_id)
└── Unreachable(reason)
"""

import httpx
import orjson


class BeatError(Exception):
    """Base of the client's errors."""


class Problem(BeatError):
    """The service answered with a failure; `type` tells which: urn:beat-serve:problem:unknown-item."""

    def __init__(self, status: int, type: str, title: str, detail: str, request_id: str) -> None:
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.request_id = request_id
        super().__init__(f"{status} {title}: {detail} (request {request_id})")


class Unreachable(BeatError):
    """No answer came: no connection, a broken one, or too slow a one."""

    def __init__(self, error: httpx.TransportError) -> None:
        self.reason = type(error).__name__
        super().__init__(f"no answer from the service: {self.reason}")


def problem_of(status: int, body: bytes) -> Problem:
    """The failure that this body tells; something between the client and the service may answer otherwise."""
    try:
        told = orjson.loads(body)
        return Problem(status, told["type"], told["title"], told["detail"], told["request_id"])
    except (ValueError, KeyError, TypeError):
        return Problem(status, "about:blank", "Not an answer of beat-serve", body[:200].decode(errors="replace"), "")
