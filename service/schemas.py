"""The wire: what a client may send and what it gets.

Requests are validated by pydantic. Answers are built as plain JSON from our own frozen values: the models of answers
document them in OpenAPI, and a test holds both together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.types import Evidence, Explanation, LabelledTokens, Part, Recommendation

_Integer = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Field(strict=True, min_length=1, max_length=256)]
OutsideId = _Integer | _Text
"""An id as the data set spells it; 42 and "42" mean the same user."""

_LEVELS = ("macro", "micro 1", "micro 2", "micro 3", "micro 4", "micro 5")


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecommendRequest(_Request):
    """Whom to recommend to, and how much."""

    user_id: OutsideId = Field(description="A user of the training data.", examples=[42])
    k: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(10, description="Items at most.")


class ExplainRequest(_Request):
    """Which item to explain to whom."""

    user_id: OutsideId = Field(description="A user of the training data.", examples=[42])
    item_id: OutsideId = Field(description="An item of the catalogue.", examples=[50])
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=256)] | None = Field(
        None, description="Tokens to write at most; left out: the server's setting."
    )
    temperature: Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False)] = Field(
        0.0, description="0 writes the same text every time."
    )


class Token(BaseModel):
    """One behaviour token: a code of one level of the tokenizer, and what it stands for."""

    level: Literal["macro", "micro 1", "micro 2", "micro 3", "micro 4", "micro 5"]
    code: int
    label: str = Field(description="Words that set this code's members apart.")


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
            "user_tokens": _tokens(recommendation.user),
            "model_version": recommendation.model_version,
            "fallback": recommendation.fallback,
        }


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


class PartState(BaseModel):
    """One part of the service: `state` is ok, starting, down or off."""

    state: Literal["ok", "starting", "down", "off"]
    detail: str = ""


class Readiness(BaseModel):
    """Whether anything useful can be answered, and the state of each part."""

    ready: bool
    parts: dict[str, PartState]

    @staticmethod
    def of(parts: dict[str, Part]) -> dict[str, Any]:
        """The answer as plain JSON values: ready while the model, which recommends, is there."""
        return {"ready": parts["model"].state == "ok", "parts": {name: vars(part) for name, part in parts.items()}}


class Problem(BaseModel):
    """The one shape of every failure (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def _tokens(labelled: LabelledTokens) -> list[dict[str, Any]]:
    return [
        {"level": level, "code": code, "label": label}
        for level, code, label in zip(_LEVELS, labelled.tokens.codes, labelled.labels, strict=True)
    ]


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "user_tokens": _tokens(evidence.user),
        "item_tokens": _tokens(evidence.item),
        "shared_words": evidence.shared_words,
        "past_items": [
            {"item_id": past.item_id, "title": past.title, "similarity": past.similarity}
            for past in evidence.past_items
        ],
    }
