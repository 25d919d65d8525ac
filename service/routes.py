"""The routes: take the request, call one use case, answer."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from service.bootstrap import Components
from service.schemas import (
    ExplainRequest,
    ExplainResponse,
    Problem,
    Readiness,
    RecommendRequest,
    RecommendResponse,
)

router = APIRouter()

PROBLEM_JSON = "application/problem+json"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def json_response(content: Any, status: int = 200) -> Response:
    """Plain values as JSON. Answers skip pydantic: they are made from our own checked values (40 us a request)."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def _problems(**descriptions: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of a route's failures, keyed status_404 and so on."""
    schema = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {
        int(name.removeprefix("status_")): {"description": text, "content": {PROBLEM_JSON: schema}}
        for name, text in descriptions.items()
    }


def _components(request: Request) -> Components:
    components: Components = request.app.state.components
    return components


ComponentsDep = Annotated[Components, Depends(_components)]

_BAD_REQUEST = "The body is not what the schema asks for."
_EXPLAIN_PROBLEMS = _problems(
    status_404="No such user or item in the served model.",
    status_422=_BAD_REQUEST,
    status_429="Too many explanations are under way; see Retry-After.",
    status_503="The language model is starting or down; see Retry-After.",
    status_504="The language model took too long.",
)


@router.post(
    "/recommend",
    response_model=RecommendResponse,
    responses=_problems(status_404="No such user in the served model.", status_422=_BAD_REQUEST),
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
