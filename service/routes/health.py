"""Routes for those who run the service: whether it lives, what state its parts are in, its metrics."""

from fastapi import APIRouter, Response

from service.routes.json_route import ComponentsDep, json_response
from service.schemas.health import Readiness

router = APIRouter()

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> dict[str, str]:
    """Always the same; says nothing about the parts."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Nothing useful can be answered."}},
    summary="State of each part",
)
async def readyz(parts: ComponentsDep) -> Response:
    """Ready as soon as recommendations can be answered; each part's state tells what else can."""
    readiness = Readiness.of(await parts.parts())
    return json_response(readiness, 200 if readiness["ready"] else 503)


@router.get("/metrics", summary="Metrics for Prometheus", responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: ComponentsDep) -> Response:
    """All metrics in the text format."""
    return Response(parts.telemetry.exposition(), media_type=METRICS_TYPE)
