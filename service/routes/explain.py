"""Routes that explain: take the request, call one use case, answer."""

from fastapi import APIRouter, Response

from service.routes.json_route import BAD_REQUEST, TOO_LONG, ComponentsDep, JsonRoute, json_response, problems
from service.schemas.explain import ExplainRequest, ExplainResponse

router = APIRouter(route_class=JsonRoute)

_PROBLEMS = problems(
    {
        404: "No such user or item in the served model.",
        413: TOO_LONG,
        422: BAD_REQUEST,
        429: "Too many explanations are under way; see Retry-After.",
        503: "The language model is starting or down; see Retry-After.",
        504: "The language model took too long.",
    }
)


@router.post("/explain", response_model=ExplainResponse, responses=_PROBLEMS, summary="Why this item for this user")
async def explain(body: ExplainRequest, parts: ComponentsDep) -> Response:
    """One explanation with the evidence it rests on; `source` tells who wrote the text."""
    explanation = await parts.explainer.explain(
        body.user_id, body.item_id, max_tokens=body.max_tokens, temperature=body.temperature
    )
    return json_response(ExplainResponse.of(explanation))
