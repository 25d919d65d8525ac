"""What every route shares: bounded JSON bodies, fast JSON answers, documented failures, the parts."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute

from service.bootstrap import Components
from service.problems import PROBLEM_JSON
from service.schemas.common import Problem

MAX_BODY_BYTES = 65_536
TOO_LONG = "The body is too long."
BAD_REQUEST = "The body is not what the schema asks for."


class JsonRequest(Request):
    """A request whose body is bounded, and parsed by orjson.

    What json.loads cannot take (huge numbers, deep nesting) is a 422 like every other malformed body.
    """

    async def body(self) -> bytes:
        """The whole body. Raises HTTPException 413 as soon as it is longer than any request of ours."""
        if not hasattr(self, "_body"):
            read = bytearray()
            async for chunk in self.stream():
                read += chunk
                if len(read) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
            self._body = bytes(read)
        return self._body

    async def json(self) -> Any:
        """The body's value. Raises json.JSONDecodeError."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route that hands a JsonRequest to its function."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind our request class."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


def json_response(content: Any, status: int = 200) -> Response:
    """Plain values as JSON, past pydantic (about 20 us a request): they are made from our own checked values."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def problems(descriptions: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of failures by status. The schema stands in each: FastAPI would call a model application/json."""
    content = {PROBLEM_JSON: {"schema": Problem.model_json_schema()}}
    return {status: {"description": text, "content": content} for status, text in descriptions.items()}


async def _components(request: Request) -> Components:  # async: FastAPI sends plain functions to a thread
    components: Components = request.scope["components"]
    return components


ComponentsDep = Annotated[Components, Depends(_components)]
"""The version that answers this request."""
