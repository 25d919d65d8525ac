"""Routes that change which version is served. They are there only where a key for them is set."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.routes.json_route import BAD_REQUEST, TOO_LONG, JsonRoute, json_response, problems
from service.schemas.admin import ReloadRequest, ServedVersion
from service.versions import Swap, Versions

router = APIRouter(route_class=JsonRoute, prefix="/admin")

_REFUSED = "The version cannot be served; the one that is served goes on."


async def _versions(request: Request) -> Versions:
    versions: Versions = request.app.state.versions
    return versions


VersionsDep = Annotated[Versions, Depends(_versions)]


@router.post(
    "/reload",
    response_model=ServedVersion,
    responses=problems({409: _REFUSED, 413: TOO_LONG, 422: BAD_REQUEST}),
    summary="Serve another version",
)
async def reload(body: ReloadRequest, versions: VersionsDep) -> Response:
    """Loads and checks the version beside the served one, then swaps; no request fails meanwhile."""
    return json_response(_served(await versions.swap_to(body.version)))


@router.post(
    "/rollback",
    response_model=ServedVersion,
    responses=problems({409: f"No other version was served since the start, or: {_REFUSED[0].lower()}{_REFUSED[1:]}"}),
    summary="Serve what was served before",
)
async def rollback(versions: VersionsDep) -> Response:
    """Asked twice it goes back and forth; a newer `latest` is taken as soon as one is published."""
    return json_response(_served(await versions.roll_back()))


def _served(swap: Swap) -> dict[str, object]:
    return {"model_version": swap.version, "previous_version": swap.previous, "seconds": swap.seconds}
