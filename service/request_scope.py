"""What every request is given before anything else sees it: an id, a place in the metrics, safe headers."""

import re
import secrets
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import request_id
from service.security_headers import RAW_SECURITY_HEADERS
from service.telemetry import Telemetry

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestScope:
    """Gives every request an id (the client's own if it is sane) and counts it with its route, status and time.

    Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and two streams for every request.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._telemetry.request_begins()
        started, status = time.perf_counter(), 500  # what the layer above answers if nothing is sent here
        current = _request_id(scope)
        answered_id = current.encode()
        request_id.set(current)  # never reset: the server logs a failure after this frame has gone, in the same task

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *_missing(message["headers"]),
                    *message["headers"],
                    (b"x-request-id", answered_id),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._telemetry.count_request(route, status, time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The security headers that the answer does not set otherwise, as the page of the API does."""
    present = {name for name, _ in headers}
    return [header for header in RAW_SECURITY_HEADERS if header[0] not in present]
