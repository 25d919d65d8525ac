"""Recommendations as values: what is wanted, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from model_store.types import ItemId, UserId
from service.explanation import Explanation
from service.types import Candidates, Fallback, LabelledTokens

Rerank = Literal["none", "llm"]


@dataclass(frozen=True)
class CategoryFilter:
    """Which items may be recommended, by the names of their categories, whatever their case. Empty: all of them."""

    any_of: tuple[str, ...] = ()
    """At least one of these; nothing is asked where there are none."""
    all_of: tuple[str, ...] = ()
    """Every one of these."""
    none_of: tuple[str, ...] = ()
    """Not one of these."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request for items asks for, apart from whom it is for."""

    k: int = 10
    offset: int = 0
    """Items of the ranking to pass over: the next page begins there."""
    exclude_seen: bool = True
    exclude: tuple[ItemId, ...] = ()
    """Outside ids; what the version does not know cannot come anyway."""
    categories: CategoryFilter = CategoryFilter()
    diversity: float = 0.0
    """Weight of being unlike what stands above, 0 to 1 (see `service.diversity`)."""
    rerank: Rerank = "none"
    explain: int = 0
    """Items of the answer that are explained, the first ones."""
    deadline_s: float = 5.0
    """How long the language model may take, where it is asked."""


@dataclass(frozen=True)
class Ranking:
    """Candidates in the order in which they shall come, and how they came by it."""

    candidates: Candidates
    llm_scores: Mapping[int, float] = field(default_factory=dict)
    """By item row: what the language model thinks of those that it judged."""
    fallback: Fallback | None = None
    """Why it judged none although it was asked to."""


class RecommendedItem(NamedTuple):
    """One ranked item.

    A NamedTuple: a hundred are made for some requests, and a frozen dataclass takes five times as long to make.
    """

    item_id: ItemId
    title: str
    score: float
    """Inner product of the subject's and the item's vector; of popular items the training users."""
    categories: tuple[str, ...]
    llm_score: float | None = None
    """log P(Yes) - log P(No) where the language model judged the item."""
    explanation: Explanation | None = None
    """Where one was asked for."""


@dataclass(frozen=True)
class Recommendation:
    """One answered `/recommend`, best item first."""

    recommendation_id: str
    user_id: UserId | None
    items: tuple[RecommendedItem, ...]
    user: LabelledTokens | None
    """None where nothing is known of the user."""
    model_version: str
    unknown_items: tuple[ItemId, ...] = ()
    """Items of the told history that the version does not know."""
    fallbacks: tuple[Fallback, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage: tokens, retrieval, rerank, total."""
