"""The short way to a route's function: taken by what is plain alone, and never told from FastAPI's own."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response

from service.routes import ROUTERS
from service.routes.json_route import MAX_BODY_BYTES, ComponentsDep, JsonRoute, json_response
from service.routes.short_way import ShortWay
from service.schemas.explain import ExplainRequest
from tests.artifacts import ITEM_IDS, USER_IDS

JSON = (b"content-type", b"application/json")
QUESTION = {"user_id": "ann", "item_id": 1}
router = APIRouter(route_class=JsonRoute)


@router.post("/echo")
async def echo(body: ExplainRequest, request: Request, parts: ComponentsDep) -> Response:
    """What came in."""
    return json_response({"user_id": body.user_id, "parts": parts, "path": request.url.path})


@router.post("/plain")
async def plain(body: ExplainRequest) -> dict[str, str]:
    """Leaves its answer's form to FastAPI."""
    raise AssertionError(body)


@router.post("/of/{place}")
async def with_a_path(place: str, body: ExplainRequest) -> Response:
    """Needs more than a body."""
    raise AssertionError(place)


class LongWay:
    """FastAPI's place: keeps the bodies that reach it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 299, "headers": []})


async def _asked(*chunks: bytes, **changes: Any) -> tuple[list[Any], LongWay]:
    """What was sent, and what reached the long way."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/echo",
        "headers": [JSON],
        "query_string": b"",
        "components": "c",
    }
    messages = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    long_way = LongWay()
    await ShortWay(long_way, router.routes)(scope | changes, receive, send)
    return sent, long_way


async def test_a_plain_question_is_answered_without_fastapi():
    """Body, request and parts arrive at the function; FastAPI sees nothing."""
    sent, long_way = await _asked(json.dumps(QUESTION).encode())
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"]) == {"user_id": "ann", "parts": "c", "path": "/echo"}
    assert not long_way.bodies


@pytest.mark.parametrize(
    ("chunks", "changes"),
    [
        ((json.dumps(QUESTION).encode(),), {"headers": [(b"content-type", b"text/plain")]}),
        ((json.dumps(QUESTION).encode(),), {"headers": []}),
        ((json.dumps(QUESTION).encode(),), {"method": "PUT"}),
        ((json.dumps(QUESTION).encode(),), {"root_path": "/behind"}),
        ((json.dumps(QUESTION).encode(),), {"path": "/of/it"}),
        ((json.dumps(QUESTION).encode(),), {"path": "/of/{place}"}),
        ((json.dumps(QUESTION).encode(),), {"path": "/plain"}),
        ((b'{"user_id": ', b'"ann"}'), {}),
        ((b"{",), {}),
        ((b"",), {}),
        ((b"null",), {}),
        ((b'{"user_id": "ann"}',), {}),
        ((json.dumps(QUESTION | {"more": 1}).encode(),), {}),
        ((json.dumps(QUESTION).encode() + b" " * MAX_BODY_BYTES,), {}),
    ],
)
async def test_anything_else_goes_fastapis_way_whole(chunks, changes):
    """Not a byte of the body is lost on the way."""
    sent, long_way = await _asked(*chunks, **changes)
    assert sent[0]["status"] == 299
    assert long_way.bodies == [b"".join(chunks)]


async def test_a_client_who_leaves_before_its_body_is_told_on():
    """The message that was taken is the first that FastAPI gets."""
    taken: list[Any] = []

    async def long_way(scope: Any, receive: Any, send: Any) -> None:
        taken.append(await receive())

    async def leave() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": [JSON]}
    await ShortWay(long_way, router.routes)(scope, leave, send)
    assert taken == [{"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/recommend", {"user_id": USER_IDS[0], "k": 3}, 200),
        ("/recommend/batch", {"user_ids": list(USER_IDS[:3])}, 200),
        ("/explain", {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}, 200),
        ("/explain", {"user_id": "nobody", "item_id": ITEM_IDS[0]}, 404),
        ("/feedback", {"events": [{"kind": "like", "user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}]}, 202),
    ],
)
async def test_both_ways_answer_alike(service, path, body, status):
    """The same status, headers and JSON but for what differs between any two answers; both are counted."""
    await service.until_explaining()
    answers = []
    for content_type in ("application/json", "application/json; charset=utf-8"):
        content = json.dumps(body).encode()
        for _ in range(2):  # the second explanation comes from the cache
            answer = await service.client.post(path, content=content, headers={"content-type": content_type})
        answers.append(answer)
    short, long = answers
    assert short.status_code == long.status_code == status
    assert set(short.headers) == set(long.headers)
    assert _alike(short.json()) == _alike(long.json())
    count = service.metric("beat_request_duration_seconds_count", route=path, status=str(status))
    assert count == 4


def test_the_routes_that_are_asked_most_are_there():
    """Should FastAPI hide their functions one day, this says that they became slow."""
    way = ShortWay(LongWay(), [route for router in ROUTERS for route in router.routes])
    assert {"/recommend", "/explain"} <= set(way.paths)


def _alike(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_alike(part) for part in answer]
    if isinstance(answer, dict):
        different = {"timings_ms", "recommendation_id", "request_id", "event_id"}
        return {name: _alike(part) for name, part in answer.items() if name not in different}
    return answer
