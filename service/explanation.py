"""The values of an explanation: what is asked, what is known, what is written, what is answered."""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from model_store.types import ItemId, UserId
from service.types import FinishReason, LabelledTokens, Source

STAGES: Final = ("tokens", "retrieval", "prompt", "queue", "first_token", "decode")
"""Parts of an explanation's time, in the order in which they pass."""

RejectReason = Literal["empty", "breaks_off", "cut", "repeats", "other_title"]
"""Nothing was written; no whole sentence was; the last sentence broke off and was left out; something was said twice;
another title of the catalogue than the asked item's or the evidence's was named."""


@dataclass(frozen=True)
class KeptText:
    """A text that passed the grounding check, as a cache keeps it."""

    text: str
    finish_reason: FinishReason


@dataclass(frozen=True)
class PastItem:
    """An item of the user's training history that speaks for the asked one."""

    item_id: ItemId
    title: str
    similarity: float
    """Cosine in the joint item space, -1 to 1."""


class TokenPair(NamedTuple):
    """A user's and an item's token that belong together, by their levels (0 macro, 1 to 5 micro)."""

    user_level: int
    item_level: int
    words: tuple[str, ...]
    """Label words of both; empty for a pair that is only near."""
    similarity: float
    """Cosine of the two codewords, -1 to 1."""


@dataclass(frozen=True)
class Evidence:
    """What is known to be true about a user and an item, before any text is written."""

    user: LabelledTokens
    item: LabelledTokens
    shared_words: tuple[str, ...]
    """Label words of both sides' codes that stand in the item's own data, and in that of a past item."""
    past_items: tuple[PastItem, ...]
    """Most similar first."""
    token_pairs: tuple[TokenPair, ...] = ()
    """Pairs that share words, most words first; where no pair does, the nearest one."""


@dataclass(frozen=True)
class Usage:
    """Tokens read and written by the language model; zeros for a template."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Sampling:
    """How a text is drawn."""

    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None

    @property
    def repeatable(self) -> bool:
        """Whether the same prompt gets the same text again."""
        return self.temperature <= 0 or self.seed is not None


@dataclass(frozen=True)
class Question:
    """Which items to explain to whom, and how."""

    item_ids: tuple[ItemId, ...]
    sampling: Sampling
    deadline_s: float
    user_id: UserId | None = None
    history: tuple[ItemId, ...] = ()
    tokens_of: UserId | None = None
    """Another user, whose behaviour tokens take the place of the subject's: what if their taste were asked?"""


@dataclass(frozen=True)
class Beginning:
    """What a streamed explanation tells before any text."""

    user_id: UserId | None
    item_id: ItemId
    title: str
    evidence: Evidence
    model_version: str
    unknown_items: tuple[ItemId, ...]


@dataclass(frozen=True)
class TextDelta:
    """A piece of a streamed text, as it is written."""

    text: str


@dataclass(frozen=True)
class TextReplaced:
    """What was told so far is not what may be said: this is."""

    text: str
    source: Source


@dataclass(frozen=True)
class Explanation:
    """One answered `/explain`."""

    user_id: UserId | None
    item_id: ItemId
    title: str
    text: str
    source: Source
    evidence: Evidence
    model_version: str
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    fallback: str | None = None
    """Why the template speaks; None when the language model does."""
    unknown_items: tuple[ItemId, ...] = ()
    """Items of the told history that the served version does not know."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage: tokens, retrieval, prompt, queue, first_token, decode, total."""
