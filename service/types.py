"""The values the service passes around: frozen, plain, without behaviour that needs a server."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.types import BehaviorTokens, ItemId, UserId

FinishReason = Literal["stop", "length"]
Source = Literal["llm", "cache", "template"]
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
class Stranger:
    """Somebody of whom nothing is known; `why` says so in words fit for a client."""

    user_id: UserId | None
    unknown_items: tuple[ItemId, ...]
    why: str

    @property
    def fallback(self) -> Fallback:
        """What is recommended instead."""
        return Fallback("popular", self.why)


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
