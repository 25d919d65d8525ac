"""What was recommended and what came of it, as values: of outside ids alone, so that they outlive a version."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from model_store.types import ItemId, UserId

FeedbackKind = Literal["view", "like", "buy", "dislike"]


@dataclass(frozen=True)
class FeedbackEvent:
    """What somebody did with an item. Of outside ids alone, so that it outlives the version that was served."""

    kind: FeedbackKind
    item_id: ItemId
    user_id: UserId | None = None
    recommendation_id: str | None = None
    rank: int | None = None
    """Place of the item in that recommendation, from 0; None where the two could not be joined."""
    model_version: str | None = None
    """The version that recommended it; None where the two could not be joined."""


class Served(NamedTuple):
    """A recommendation as it is remembered for feedback."""

    recommendation_id: str
    user_id: UserId | None
    model_version: str
    item_ids: tuple[ItemId, ...]
    """In the order shown."""
    offset: int = 0
    """Rank of the first of them."""


@dataclass(frozen=True)
class FeedbackReceipt:
    """What became of the events of one request."""

    accepted: int
    applied: int
    """Those of a user: they count from the next request on."""
    joined: int
    """Those whose recommendation was found and held the item."""
    shared: bool
    """Whether the other services have them too, or will at once; else this process alone, until Redis is back."""
