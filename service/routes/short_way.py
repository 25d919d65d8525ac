"""Well-formed questions straight to their function: FastAPI's own way there costs as much as an empty route, twice."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ServiceError
from service.problems import problem
from service.routes.json_route import MAX_BODY_BYTES, ComponentsDep, JsonRoute

_JSON: Final = b"application/json"


@dataclass(frozen=True)
class _Function:
    """A route's function, and which of its arguments are what."""

    route: JsonRoute
    body: tuple[str, type[BaseModel]]
    request: tuple[str, ...]
    components: tuple[str, ...]

    def body_of(self, data: bytes) -> BaseModel | None:
        """The checked body; None for one that is not what the schema asks for."""
        try:
            return self.body[1].model_validate(orjson.loads(data))
        except (orjson.JSONDecodeError, ValidationError):
            return None

    async def response(self, body: BaseModel, request: Request) -> Response:
        """The function's answer, its own failures as problems."""
        components = request.scope["components"]
        known = {self.body[0]: body, **dict.fromkeys(self.request, request)}
        endpoint: Callable[..., Awaitable[Response]] = self.route.endpoint
        try:
            return await endpoint(**known, **dict.fromkeys(self.components, components))
        except ServiceError as error:
            return problem(error)


class ShortWay:
    """Answers what is plain: a JSON body in one piece that the schema allows, for a function that needs no more.

    Everything else, every refusal among it, goes FastAPI's way with what was read of it, so that failures are worded in
    one place and the document stays FastAPI's. Plain ASGI, inside of VersionScope.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._functions = _functions(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        function = self._function(scope)
        if function is None:
            await self._app(scope, receive, send)
            return
        message = await receive()
        data: bytes = message.get("body", b"")
        whole = message["type"] == "http.request" and not message.get("more_body") and len(data) <= MAX_BODY_BYTES
        body = function.body_of(data) if whole else None
        if body is None:
            await self._app(scope, _again(message, receive), send)
            return
        scope["route"] = function.route
        response = await function.response(body, Request(scope, receive))
        await response(scope, receive, send)

    @property
    def paths(self) -> Iterable[str]:
        """Of the routes it can answer."""
        return self._functions.keys()

    def _function(self, scope: Scope) -> _Function | None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope.get("root_path"):
            return None
        function = self._functions.get(scope["path"])
        return function if function is not None and _content_type(scope) == _JSON else None


def _content_type(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"content-type"), None)


def _again(message: Message, receive: Receive) -> Receive:
    """What gives the message that was taken, then whatever follows."""
    taken = [message]

    async def receive_again() -> Message:
        return taken.pop() if taken else await receive()

    return receive_again


def _functions(routes: Iterable[BaseRoute]) -> Mapping[str, _Function]:
    """By path, of the routes that take a body and else only what we know to give, and give a whole response."""
    found = {}
    for route in routes:
        if isinstance(route, JsonRoute) and route.methods == {"POST"}:
            function = _function_of(route)
            if function is not None:
                found[route.path] = function
    return found


def _function_of(route: JsonRoute) -> _Function | None:
    signature = inspect.signature(route.endpoint)
    kinds: dict[Any, list[str]] = {}
    for name, parameter in signature.parameters.items():
        kinds.setdefault(parameter.annotation, []).append(name)
    request, components = kinds.pop(Request, []), kinds.pop(ComponentsDep, [])
    match list(kinds.items()):
        case [(type() as model, [name])] if issubclass(model, BaseModel) and signature.return_annotation is Response:
            return _Function(route, (name, model), tuple(request), tuple(components))
    return None
