"""The route that takes feedback."""

from fastapi import APIRouter, Response

from service.routes.json_route import BAD_REQUEST, TOO_LONG, ComponentsDep, JsonRoute, json_response, problems
from service.schemas.feedback import FeedbackRequest, FeedbackResponse

router = APIRouter(route_class=JsonRoute)


@router.post(
    "/feedback",
    response_model=FeedbackResponse,
    status_code=202,
    responses=problems({413: TOO_LONG, 422: BAD_REQUEST}),
    summary="What users did with items",
)
async def feedback(body: FeedbackRequest, parts: ComponentsDep) -> Response:
    """Events change what counts as seen and the next answers to their users, without any training."""
    receipt = await parts.feedback.take([event.event() for event in body.events])
    return json_response(FeedbackResponse.of(receipt), 202)
