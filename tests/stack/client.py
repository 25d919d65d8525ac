"""A client of a running stack, of the standard library alone: `make smoke` needs no environment."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

TIMEOUT_S = 180
"""More than the gateway's patience, so that its answer comes first."""


class SmokeFailure(Exception):
    """What a stack does and should not, or does not and should."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `asked` is method and path, for messages."""

    asked: str
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body's value. Raises SmokeFailure."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise SmokeFailure(f"{self.asked}: not JSON: {self.body[:200]!r}") from error


@dataclass(frozen=True)
class Event:
    """One server-sent event; `at_s` is when its last line came, on a monotonic clock."""

    name: str
    data: Any
    at_s: float


class Client:
    """Asks one base URL, with an API key if there is one, and remembers what it asked."""

    def __init__(self, base_url: str, key: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._asked: set[tuple[str, str]] = set()

    def get(self, path: str, *, expect: int | None = 200, **query: str | int) -> Answer:
        """The answer to a GET. Raises SmokeFailure for any other status than `expect` (None: all are fine)."""
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None, expect)

    def post(self, path: str, body: Mapping[str, Any], *, expect: int | None = 200) -> Answer:
        """The answer to a POST of JSON. Raises SmokeFailure for any other status than `expect` (None: all are fine)."""
        return self._ask("POST", path, body, expect)

    def stream(self, path: str, body: Mapping[str, Any]) -> list[Event]:
        """The events of a streamed answer, each with the time it came. Raises SmokeFailure."""
        with self._open("POST", path, body) as response:
            if response.status != 200 or not response.headers["content-type"].startswith("text/event-stream"):
                raise SmokeFailure(f"POST {path}: status {response.status}: {response.read()[:300]!r}")
            return list(_events(response))

    def has_asked(self, method: str, template: str) -> bool:
        """Whether a path that fits a template such as /items/{item_id}/similar was asked."""
        pattern = re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)))
        return any(asked == method and pattern.fullmatch(path) for asked, path in self._asked)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, expect: int | None) -> Answer:
        with self._open(method, path, body) as response:
            answer = Answer(f"{method} {path}", response.status or 0, response.headers, response.read())
        if expect is not None and answer.status != expect:
            raise SmokeFailure(f"{answer.asked}: status {answer.status}, expected {expect}: {answer.body[:300]!r}")
        return answer

    def _open(self, method: str, path: str, body: Mapping[str, Any] | None) -> HTTPResponse | HTTPError:
        self._asked.add((method, path.partition("?")[0]))
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.base_url + path, data, self._headers, method=method)
        try:
            response: HTTPResponse = urlopen(request, timeout=TIMEOUT_S)
        except HTTPError as error:
            return error  # an answer like any other: who asked looks at its status
        except OSError as error:  # URLError is one
            raise SmokeFailure(f"{method} {self.base_url}{path}: no answer: {error}") from error
        return response


def segment(value: object) -> str:
    """An outside id as one segment of a path."""
    return quote(str(value), safe="")


def _events(response: HTTPResponse | HTTPError) -> Iterator[Event]:
    name, data = "message", ""
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").strip()
        elif not line and data:
            yield Event(name, json.loads(data), time.monotonic())
            name, data = "message", ""
