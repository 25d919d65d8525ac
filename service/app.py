"""The application: routes, the one table of failures, request ids and request metrics."""

import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.bootstrap import Components
from service.errors import (
    LanguageModelTimeout,
    LanguageModelUnavailable,
    NotReady,
    Overloaded,
    ServiceError,
    UnknownHistory,
    UnknownItem,
    UnknownUser,
)
from service.logs import request_id
from service.routes import ROUTERS
from service.routes.json_route import PROBLEM_JSON, problems
from service.telemetry import Telemetry

log = logging.getLogger(__name__)

STATUS_OF: Final[Mapping[type[ServiceError], int]] = MappingProxyType(
    {
        UnknownUser: 404,
        UnknownItem: 404,
        UnknownHistory: 404,
        NotReady: 503,
        Overloaded: 429,
        LanguageModelUnavailable: 503,
        LanguageModelTimeout: 504,
    }
)
"""Every failure of our own and its status; a test holds it against the error tree."""

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MAX_FAULTS = 5
"""Faults of one body that are told; a hostile body can have thousands."""
_MAX_DETAIL = 500
"""Characters; details repeat what the client sent."""


def create_app(components: Components) -> FastAPI:
    """The application over these parts: starts them when it starts, closes them when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        components.start()
        yield
        await components.close()

    app = FastAPI(
        title="beat-serve",
        description="Recommendations, and why: behaviour tokens injected into a frozen language model.",
        lifespan=lifespan,
        responses=problems({500: "Our mistake; the log has more under the request id."}),
    )
    app.state.components = components
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_mistake)
    app.add_middleware(RequestScope, telemetry=components.telemetry)
    return app


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
        request_id.set(current)  # never reset: the server logs a failure after this frame has gone, in the same task

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = current
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


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The one shape of every failure (RFC 9457)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail[:_MAX_DETAIL],
        "request_id": request_id.get(),
    }
    return Response(orjson.dumps(body), status, headers, PROBLEM_JSON)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    headers = {"retry-after": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return problem(STATUS_OF[type(error)], str(error), headers)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:_MAX_FAULTS]]
    return problem(422, "; ".join(faults))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, f"{request.method} {request.url.path}: {error.detail}", error.headers)


async def _our_mistake(request: Request, error: Exception) -> Response:
    """Starlette logs the trace after this answer has gone; the client gets the id to ask about it."""
    detail = "The service made a mistake. Its log has the trace under this request id."
    return problem(500, detail, {"x-request-id": request_id.get()})
