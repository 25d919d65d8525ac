"""Server-sent events as a client reads them."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx


class ServerEvent(NamedTuple):
    """One event: its name and its JSON."""

    name: str
    data: Any


async def events_of(answer: httpx.Response) -> AsyncIterator[ServerEvent]:
    """The events, as they come."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield ServerEvent(name, json.loads(line.removeprefix("data: ")))
