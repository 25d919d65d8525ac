"""Routes that rank items: take the request, call one use case, answer."""

from fastapi import APIRouter, Request, Response

from service.routes.client_left import CLIENT_CLOSED_REQUEST, while_connected
from service.routes.json_route import BAD_REQUEST, TOO_LONG, ComponentsDep, JsonRoute, json_response, problems
from service.schemas.recommend import (
    RecommendBatchRequest,
    RecommendBatchResponse,
    RecommendRequest,
    RecommendResponse,
)

router = APIRouter(route_class=JsonRoute)

_PROBLEMS = problems({413: TOO_LONG, 422: BAD_REQUEST})


@router.post(
    "/recommend",
    response_model=RecommendResponse,
    responses=_PROBLEMS,
    summary="Items for a user or a history, best first",
)
async def recommend(body: RecommendRequest, request: Request, parts: ComponentsDep) -> Response:
    """Ranked by the inner product of graph vectors; `fallback` tells what else stands in for what was asked."""
    recommending = parts.recommender.recommend(body.user_id, body.history, body.wanted())
    recommendation = await (while_connected(request, recommending) if body.asks_the_model else recommending)
    if recommendation is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_response(RecommendResponse.of(recommendation))


@router.post(
    "/recommend/batch",
    response_model=RecommendBatchResponse,
    responses=_PROBLEMS,
    summary="Items for many users at once",
)
async def recommend_batch(body: RecommendBatchRequest, parts: ComponentsDep) -> Response:
    """What /recommend answers for each user; tokens are looked up and items searched for once for all of them."""
    return json_response(
        RecommendBatchResponse.of(await parts.recommender.recommend_many(body.user_ids, body.wanted()))
    )
