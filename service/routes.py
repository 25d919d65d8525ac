"""The routes: take the request, call one use case, answer."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute

from service.bootstrap import Components
from service.schemas import (
    ExplainRequest,
    ExplainResponse,
    Problem,
    Readiness,
    RecommendRequest,
    RecommendResponse,
)


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


router = APIRouter(route_class=JsonRoute)

PROBLEM_JSON = "application/problem+json"
MAX_BODY_BYTES = 65_536
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def json_response(content: Any, status: int = 200) -> Response:
    """Plain values as JSON, past pydantic (about 20 us a request): they are made from our own checked values."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def problems(descriptions: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of failures by status. The schema stands in each: FastAPI would call a model application/json."""
    content = {PROBLEM_JSON: {"schema": Problem.model_json_schema()}}
    return {status: {"description": text, "content": content} for status, text in descriptions.items()}


async def _components(request: Request) -> Components:  # async: FastAPI sends plain functions to a thread
    components: Components = request.app.state.components
    return components


ComponentsDep = Annotated[Components, Depends(_components)]

_TOO_LONG = "The body is too long."
_BAD_REQUEST = "The body is not what the schema asks for."
_RECOMMEND_PROBLEMS = problems({404: "No such user in the served model.", 413: _TOO_LONG, 422: _BAD_REQUEST})
_EXPLAIN_PROBLEMS = problems(
    {
        404: "No such user or item in the served model.",
        413: _TOO_LONG,
        422: _BAD_REQUEST,
        429: "Too many explanations are under way; see Retry-After.",
        503: "The language model is starting or down; see Retry-After.",
        504: "The language model took too long.",
    }
)


@router.post(
    "/recommend",
    response_model=RecommendResponse,
    responses=_RECOMMEND_PROBLEMS,
    summary="Items for a user, best first",
)
async def recommend(body: RecommendRequest, parts: ComponentsDep) -> Response:
    """Items that the user has not had, ranked by the inner product of graph vectors."""
    return json_response(RecommendResponse.of(await parts.recommender.recommend(body.user_id, body.k)))


@router.post(
    "/explain", response_model=ExplainResponse, responses=_EXPLAIN_PROBLEMS, summary="Why this item for this user"
)
async def explain(body: ExplainRequest, parts: ComponentsDep) -> Response:
    """One explanation with the evidence it rests on; `source` tells who wrote the text."""
    explanation = await parts.explainer.explain(
        body.user_id, body.item_id, max_tokens=body.max_tokens, temperature=body.temperature
    )
    return json_response(ExplainResponse.of(explanation))


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> dict[str, str]:
    """Always the same; says nothing about the parts."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Readiness, summary="State of each part")
async def readyz(parts: ComponentsDep) -> Response:
    """Ready as soon as recommendations can be answered; each part's state tells what else can."""
    return json_response(Readiness.of(await parts.parts()))


@router.get("/metrics", summary="Metrics for Prometheus", responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: ComponentsDep) -> Response:
    """All metrics in the text format."""
    return Response(parts.telemetry.exposition(), media_type=METRICS_TYPE)
