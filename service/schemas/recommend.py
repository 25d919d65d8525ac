"""The wire of the routes that rank items."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.recommendation import CategoryFilter, Recommendation, RecommendedItem, Wanted
from service.schemas.common import DeadlineMs, History, OutsideId, Token, WireRequest, tokens_json
from service.schemas.explain import ExplanationModel, explanation_json

MAX_K = 100
MAX_OFFSET = 10_000
MAX_EXCLUDE = 1_000
MAX_BATCH = 256
MAX_EXPLAINED = 10
_MAX_CATEGORIES = 32

_Names = Annotated[
    tuple[Annotated[str, Field(strict=True, min_length=1, max_length=256)], ...], Field(max_length=_MAX_CATEGORIES)
]
K = Annotated[int, Field(strict=True, ge=1, le=MAX_K, description="Items at most.")]
Exclude = Annotated[tuple[OutsideId, ...], Field(max_length=MAX_EXCLUDE, description="Items that must not come.")]
ExcludeSeen = Annotated[bool, Field(strict=True, description="Leave out what a user or the history already had.")]
Diversity = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Weight of being unlike the items above (maximal marginal relevance).",
    ),
]


class CategoryFilterModel(WireRequest):
    """Categories that decide which items may come; the three hold together. Upper and lower case are the same."""

    any: _Names = Field((), description="At least one of these.", examples=[["Comedy", "Crime"]])
    all: _Names = Field((), description="Every one of these.")
    none: _Names = Field((), description="Not one of these.", examples=[["Horror"]])

    def filter(self) -> CategoryFilter:
        """The service's own value."""
        return CategoryFilter(self.any, self.all, self.none)


class RecommendRequest(WireRequest):
    """Whom to recommend to, how much, and what may come. Nobody in particular gets popular items."""

    user_id: OutsideId | None = Field(None, description="A user; one that the model does not know is no error.")
    history: History = ()
    k: K = 10
    offset: Annotated[int, Field(strict=True, ge=0, le=MAX_OFFSET)] = Field(
        0, description="Items of the ranking to pass over: the next page."
    )
    exclude_seen: ExcludeSeen = True
    exclude: Exclude = ()
    filter: CategoryFilterModel = CategoryFilterModel()
    diversity: Diversity = 0.0
    rerank: Literal["none", "llm"] = Field(
        "none",
        description="llm: the language model judges the best candidates by Yes and No, and its order comes first: "
        "seconds, and with small models worse than the retrieved order (measured with SmolLM2-135M). "
        "Where it cannot judge in time, the order stays as retrieved and `fallback` says so.",
    )
    explain: Annotated[int, Field(strict=True, ge=0, le=MAX_EXPLAINED)] = Field(
        0, description="Items of the answer to explain, the first ones, as /explain does."
    )
    deadline_ms: DeadlineMs = Field(
        5_000,
        description="Milliseconds to wait for the language model, if it is asked; then the answer does without.",
    )

    @property
    def asks_the_model(self) -> bool:
        """Whether the answer may wait for the language model."""
        return self.rerank == "llm" or self.explain > 0

    def wanted(self) -> Wanted:
        """What is asked for, apart from whom it is for."""
        return Wanted(
            k=self.k,
            offset=self.offset,
            exclude_seen=self.exclude_seen,
            exclude=self.exclude,
            categories=self.filter.filter(),
            diversity=self.diversity,
            rerank=self.rerank,
            explain=self.explain,
            deadline_s=self.deadline_ms / 1e3,
        )


class RecommendBatchRequest(WireRequest):
    """Many users and what all of them get; unknown ones get popular items."""

    user_ids: Annotated[
        tuple[OutsideId, ...], Field(min_length=1, max_length=MAX_BATCH, description="Users.", examples=[[42, 43]])
    ]
    k: K = 10
    exclude_seen: ExcludeSeen = True
    exclude: Exclude = ()
    filter: CategoryFilterModel = CategoryFilterModel()
    diversity: Diversity = 0.0

    def wanted(self) -> Wanted:
        """What is asked for, apart from whom it is for."""
        return Wanted(
            k=self.k,
            exclude_seen=self.exclude_seen,
            exclude=self.exclude,
            categories=self.filter.filter(),
            diversity=self.diversity,
        )


class RankedItem(BaseModel):
    """One recommended item."""

    item_id: int | str
    title: str
    score: float = Field(
        description="Inner product of the vectors of user and item; of popular items, how many training users had it."
    )
    categories: list[str]
    llm_score: float | None = Field(description="log P(Yes) - log P(No), where the language model judged the item.")


class ExplainedItem(RankedItem):
    """One recommended item, and why."""

    explanation: ExplanationModel | None = Field(
        description="Of the first `explain` items; null for the others, and where nothing is known of the user."
    )


class RecommendResponse(BaseModel):
    """Items, best first."""

    recommendation_id: str = Field(description="To be sent along with feedback.")
    user_id: int | str | None
    items: list[ExplainedItem]
    user_tokens: list[Token] = Field(description="Empty where nothing is known of the user.")
    model_version: str
    unknown_items: list[int | str] = Field(description="Items of the history that the model does not know.")
    fallback: str | None = Field(
        description="null, or what stands in for what was asked and why: fold_in, popular, unknown_category, "
        "no_rerank or empty, a colon, and words; several are parted by semicolons."
    )
    timings_ms: dict[str, float] = Field(description="Milliseconds by stage.")

    @staticmethod
    def of(recommendation: Recommendation) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            **_user_json(recommendation, _explained_json),
            "model_version": recommendation.model_version,
            "unknown_items": recommendation.unknown_items,
            "timings_ms": recommendation.timings_ms,
        }


class UserRecommendation(BaseModel):
    """One user's part of a batch."""

    recommendation_id: str
    user_id: int | str
    items: list[RankedItem]
    user_tokens: list[Token]
    fallback: str | None


class RecommendBatchResponse(BaseModel):
    """Each user's items, in the order asked."""

    recommendations: list[UserRecommendation]
    model_version: str
    timings_ms: dict[str, float] = Field(description="Milliseconds by stage, of the whole batch.")

    @staticmethod
    def of(recommendations: tuple[Recommendation, ...]) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            "recommendations": [_user_json(recommendation, _item_json) for recommendation in recommendations],
            "model_version": recommendations[0].model_version,
            "timings_ms": recommendations[0].timings_ms,
        }


def _user_json(
    recommendation: Recommendation, item_json: Callable[[RecommendedItem], dict[str, Any]]
) -> dict[str, Any]:
    user = recommendation.user
    return {
        "recommendation_id": recommendation.recommendation_id,
        "user_id": recommendation.user_id,
        "items": [item_json(item) for item in recommendation.items],
        "user_tokens": [] if user is None else tokens_json(user),
        "fallback": "; ".join(map(str, recommendation.fallbacks)) or None,
    }


def _explained_json(item: RecommendedItem) -> dict[str, Any]:
    explanation = None if item.explanation is None else explanation_json(item.explanation)
    return _item_json(item) | {"explanation": explanation}


def _item_json(item: RecommendedItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "score": item.score,
        "categories": item.categories,
        "llm_score": item.llm_score,
    }
