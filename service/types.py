"""The values the service passes around: frozen, plain, without behaviour that needs a server."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.types import BehaviorTokens, ItemId, UserId

FinishReason = Literal["stop", "length"]
Source = Literal["llm", "cache", "template"]
Rerank = Literal["none", "llm"]
State = Literal["ok", "starting", "down", "off"]
FallbackReason = Literal["fold_in", "popular", "unknown_category", "no_rerank", "empty"]
"""The history told instead of an unknown user's vector; popular items, because nothing is known of the user; a filter's
name that no item has; the order of retrieval, because the LLM could not judge; an answer without items."""


@dataclass(frozen=True)
class Candidates:
    """Items a retriever found, best first.

    Shapes: rows (n,) int64 catalogue rows, scores (n,) float32 inner products, n <= k.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class GenerationTimes:
    """Where a generation's time went, in seconds; zeros where an engine does not tell."""

    queue_s: float = 0.0
    """Until its prompt was read."""
    first_token_s: float = 0.0
    """From there to its first token."""
    decode_s: float = 0.0
    """From there to its last token; all the time where an engine tells none of the three."""


@dataclass(frozen=True)
class Generation:
    """What a language model wrote, and why it ended."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    times: GenerationTimes = field(default=GenerationTimes(), compare=False)


@dataclass(frozen=True)
class LabelledTokens:
    """Behaviour tokens and the words that say what each code means.

    Shapes: labels (6,), macro first, in the order of `tokens.codes`.
    """

    tokens: BehaviorTokens
    labels: tuple[str, ...]


class Fallback(NamedTuple):
    """What stands in for what was asked, and why."""

    reason: FallbackReason
    detail: str
    """Why, in words fit for a client."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, eq=False)
class Subject:
    """Whom an answer is for: a known user, or whoever has the history that the request tells.

    Shapes: vector (dim_graph,) float32; history (n,) item rows, oldest first, that vector and tokens stand for;
    seen (m,) item rows that need not be recommended again.
    """

    user_id: UserId | None
    """As the data set spells it where it knows the user, else as asked; None for a history alone."""
    vector: NDArray[np.float32]
    tokens: BehaviorTokens
    history: NDArray[np.integer]
    seen: NDArray[np.integer]
    unknown_items: tuple[ItemId, ...] = ()
    """Items of the told history that the served version does not know; they were left out."""
    fallback: Fallback | None = None
    """Set where somebody else's place is taken: an unknown user's by the history told."""


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


class ListedItem(NamedTuple):
    """An item by its outside id and title."""

    item_id: ItemId
    title: str


class SimilarItem(NamedTuple):
    """An item near another one."""

    item_id: ItemId
    title: str
    similarity: float
    """Cosine in the joint item space, above 0, at most 1."""


@dataclass(frozen=True)
class Neighbours:
    """Items near an item, nearest first."""

    item_id: ItemId
    title: str
    items: tuple[SimilarItem, ...]
    model_version: str


class FoundUser(NamedTuple):
    """A user that a search found."""

    user_id: UserId
    label: str
    """Words of the macro code."""
    num_history: int


@dataclass(frozen=True)
class UserProfile:
    """What is known of one user, feedback included."""

    user_id: UserId
    tokens: LabelledTokens
    history: tuple[ListedItem, ...]
    """The newest items, newest first."""
    model_version: str


@dataclass(frozen=True)
class Part:
    """State of one part of the service; `detail` is for a client's eyes."""

    state: State
    detail: str = ""
