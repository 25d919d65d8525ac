"""The wire of feedback."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.feedback_types import FeedbackEvent, FeedbackReceipt
from service.schemas.common import OutsideId, WireRequest

_RecommendationId = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class FeedbackEventModel(WireRequest):
    """What somebody did with one item."""

    kind: Literal["view", "like", "buy", "dislike"] = Field(
        description="view, like and buy become part of the user's history; all four keep the item from coming again."
    )
    item_id: OutsideId = Field(examples=[50])
    user_id: OutsideId | None = Field(
        None,
        description="Left out: the user of the recommendation. New users become known by their events.",
        examples=[42],
    )
    recommendation_id: _RecommendationId | None = Field(None, description="As the answer with the item told it.")

    def event(self) -> FeedbackEvent:
        """The service's own value."""
        return FeedbackEvent(self.kind, self.item_id, self.user_id, self.recommendation_id)


class FeedbackRequest(WireRequest):
    """Events, oldest first."""

    events: Annotated[tuple[FeedbackEventModel, ...], Field(min_length=1, max_length=100)]


class FeedbackResponse(BaseModel):
    """What became of the events."""

    accepted: int
    applied: int = Field(description="Events of a user: they count from the next request on.")
    joined: int = Field(description="Events whose recommendation was found and held the item.")
    shared: bool = Field(description="false while Redis is down: until it is back only this process knows the events.")

    @staticmethod
    def of(receipt: FeedbackReceipt) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return vars(receipt)
