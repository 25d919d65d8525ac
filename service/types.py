"""The values the service passes around: frozen, plain, without behaviour that needs a server."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.types import BehaviorTokens, ItemId, UserId

FinishReason = Literal["stop", "length"]
Source = Literal["llm", "template"]
State = Literal["ok", "starting", "down", "off"]


@dataclass(frozen=True)
class Candidates:
    """Items a retriever found, best first.

    Shapes: rows (n,) int64 catalogue rows, scores (n,) float32 inner products, n <= k.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Generation:
    """What a language model wrote, and why it ended."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class LabelledTokens:
    """Behaviour tokens and the words that say what each code means.

    Shapes: labels (6,), macro first, in the order of `tokens.codes`.
    """

    tokens: BehaviorTokens
    labels: tuple[str, ...]


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
    fallback: str | None = None
    """Why something other than what was asked for stands here; None when nothing does."""


@dataclass(frozen=True)
class PastItem:
    """An item of the user's training history that speaks for the asked one."""

    item_id: ItemId
    title: str
    similarity: float
    """Cosine in the joint item space, -1 to 1."""


@dataclass(frozen=True)
class Evidence:
    """What is known to be true about a user and an item, before any text is written."""

    user: LabelledTokens
    item: LabelledTokens
    shared_words: tuple[str, ...]
    """Label words that the user's and the item's codes have in common."""
    past_items: tuple[PastItem, ...]
    """Most similar first."""


@dataclass(frozen=True)
class Usage:
    """Tokens read and written by the language model; zeros for a template."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Explanation:
    """One answered `/explain`."""

    user_id: UserId
    item_id: ItemId
    title: str
    text: str
    source: Source
    evidence: Evidence
    model_version: str
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage: tokens, evidence, prompt, generate, total."""


class RecommendedItem(NamedTuple):
    """One ranked item; `score` is the inner product of user and item vector.

    A NamedTuple: a hundred are made for some requests, and a frozen dataclass takes five times as long to make.
    """

    item_id: ItemId
    title: str
    score: float
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Recommendation:
    """One answered `/recommend`, best item first."""

    user_id: UserId
    items: tuple[RecommendedItem, ...]
    user: LabelledTokens
    model_version: str
    fallback: str | None = None
    """Why something other than the user's own vector ranked; None when it did."""


@dataclass(frozen=True)
class Part:
    """State of one part of the service; `detail` is for a client's eyes."""

    state: State
    detail: str = ""
