"""The wire of the routes that explain."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.schemas.common import OutsideId, Token, WireRequest, tokens_json
from service.types import Evidence, Explanation


class ExplainRequest(WireRequest):
    """Which item to explain to whom."""

    user_id: OutsideId = Field(description="A user of the training data.", examples=[42])
    item_id: OutsideId = Field(description="An item of the catalogue.", examples=[50])
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=256)] | None = Field(
        None, description="Tokens to write at most; left out: the server's setting."
    )
    temperature: Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False)] = Field(
        0.0, description="0 writes the same text every time."
    )


class PastItemModel(BaseModel):
    """An item of the user's history that speaks for the asked one."""

    item_id: int | str
    title: str
    similarity: float = Field(description="Cosine with the asked item, -1 to 1.")


class EvidenceModel(BaseModel):
    """What is known about user and item apart from any generated text."""

    user_tokens: list[Token]
    item_tokens: list[Token]
    shared_words: list[str]
    past_items: list[PastItemModel]


class UsageModel(BaseModel):
    """Tokens the language model read and wrote."""

    prompt_tokens: int
    completion_tokens: int


class ExplainResponse(BaseModel):
    """Why this item for this user."""

    user_id: int | str
    item_id: int | str
    title: str
    text: str
    source: Literal["llm", "template"]
    evidence: EvidenceModel
    model_version: str
    usage: UsageModel
    finish_reason: Literal["stop", "length"]
    timings_ms: dict[str, float]

    @staticmethod
    def of(explanation: Explanation) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            "user_id": explanation.user_id,
            "item_id": explanation.item_id,
            "title": explanation.title,
            "text": explanation.text,
            "source": explanation.source,
            "evidence": _evidence(explanation.evidence),
            "model_version": explanation.model_version,
            "usage": {
                "prompt_tokens": explanation.usage.prompt_tokens,
                "completion_tokens": explanation.usage.completion_tokens,
            },
            "finish_reason": explanation.finish_reason,
            "timings_ms": explanation.timings_ms,
        }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "user_tokens": tokens_json(evidence.user),
        "item_tokens": tokens_json(evidence.item),
        "shared_words": evidence.shared_words,
        "past_items": [
            {"item_id": past.item_id, "title": past.title, "similarity": past.similarity}
            for past in evidence.past_items
        ],
    }
