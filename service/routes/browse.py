"""Routes that look things up: take the request, ask one room, answer."""

from fastapi import APIRouter, Response

from service.routes.json_route import BAD_REQUEST, TOO_LONG, ComponentsDep, JsonRoute, json_response, problems
from service.schemas.browse import (
    ItemsResponse,
    Limit,
    ModelResponse,
    PathId,
    Query,
    SimilarRequest,
    SimilarResponse,
    UsersResponse,
    UserTokensResponse,
)

router = APIRouter(route_class=JsonRoute)

_BAD_QUERY = problems({422: "The query is not what the schema asks for."})


@router.post(
    "/items/{item_id}/similar",
    response_model=SimilarResponse,
    responses=problems({404: "No such item in the served model.", 413: TOO_LONG, 422: BAD_REQUEST}),
    summary="Items near an item",
)
async def similar(item_id: PathId, body: SimilarRequest, parts: ComponentsDep) -> Response:
    """The nearest items by graph and text, nearest first."""
    return json_response(SimilarResponse.of(await parts.similar_items.of(item_id, body.k)))


@router.get(
    "/users/{user_id}/tokens",
    response_model=UserTokensResponse,
    responses=problems({404: "No such user in the served model.", 422: "The path is not what the schema asks for."}),
    summary="What is known of a user",
)
async def user_tokens(user_id: PathId, parts: ComponentsDep) -> Response:
    """The behaviour tokens that answers to this user rest on now, and the newest items of the history."""
    return json_response(UserTokensResponse.of(await parts.directory.profile(user_id)))


@router.get("/users", response_model=UsersResponse, responses=_BAD_QUERY, summary="Find users by their id")
async def users(parts: ComponentsDep, query: Query = "", limit: Limit = 20) -> Response:
    """The user with just this id first; then those whose id holds the query, most history first."""
    return json_response(UsersResponse.of(await parts.directory.find_users(query, limit)))


@router.get("/items", response_model=ItemsResponse, responses=_BAD_QUERY, summary="Find items by their title")
async def items(parts: ComponentsDep, query: Query = "", limit: Limit = 20) -> Response:
    """The item with just this id first; then titles that begin with the query, or hold it, popular ones first."""
    return json_response(ItemsResponse.of(await parts.directory.find_items(query, limit)))


@router.get("/model", response_model=ModelResponse, summary="The served version")
async def model(parts: ComponentsDep) -> Response:
    """Where the served version comes from, how large it is, and what its training run measured."""
    return json_response(ModelResponse.of(parts.artifact.manifest))
