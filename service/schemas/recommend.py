"""The wire of the routes that rank items."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.schemas.common import OutsideId, Token, WireRequest, tokens_json
from service.types import Recommendation


class RecommendRequest(WireRequest):
    """Whom to recommend to, and how much."""

    user_id: OutsideId = Field(description="A user of the training data.", examples=[42])
    k: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(10, description="Items at most.")


class RankedItem(BaseModel):
    """One recommended item."""

    item_id: int | str
    title: str
    score: float = Field(description="Inner product of the user's and the item's vector.")
    categories: list[str]


class RecommendResponse(BaseModel):
    """Items, best first; none of them in the user's training history."""

    user_id: int | str
    items: list[RankedItem]
    user_tokens: list[Token]
    model_version: str
    fallback: str | None = Field(description="Why something other than the user's own vector ranked; null if it did.")

    @staticmethod
    def of(recommendation: Recommendation) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            "user_id": recommendation.user_id,
            "items": [
                {"item_id": item.item_id, "title": item.title, "score": item.score, "categories": item.categories}
                for item in recommendation.items
            ],
            "user_tokens": tokens_json(recommendation.user),
            "model_version": recommendation.model_version,
            "fallback": recommendation.fallback,
        }
