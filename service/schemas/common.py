"""What several requests and answers share: outside ids, behaviour tokens, the shape of a failure."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.types import LabelledTokens

_Integer = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Field(strict=True, min_length=1, max_length=256)]
OutsideId = _Integer | _Text
"""An id as the data set spells it; 42 and "42" mean the same user."""

MAX_HISTORY = 500
History = Annotated[
    tuple[OutsideId, ...],
    Field(
        max_length=MAX_HISTORY,
        description="Items lately had, newest last: alone an anonymous session, with a user_id what came after the "
        "training data. Items that the model does not know are ignored and told.",
        examples=[[50, 172]],
    ),
]

MAX_DEADLINE_MS = 120_000
DeadlineMs = Annotated[int, Field(strict=True, ge=1, le=MAX_DEADLINE_MS)]
"""Milliseconds within which an answer comes, whatever the language model does."""

_LEVELS = ("macro", "micro 1", "micro 2", "micro 3", "micro 4", "micro 5")


class WireRequest(BaseModel):
    """What every request body keeps to: no unknown fields, no changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(BaseModel):
    """One behaviour token: a code of one level of the tokenizer, and what it stands for."""

    level: Literal["macro", "micro 1", "micro 2", "micro 3", "micro 4", "micro 5"]
    code: int
    label: str = Field(description="Words that set this code's members apart.")


class Problem(BaseModel):
    """The one shape of every failure (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def tokens_json(labelled: LabelledTokens) -> list[dict[str, Any]]:
    """Six levels as plain JSON values, macro first."""
    return [
        {"level": level, "code": code, "label": label}
        for level, code, label in zip(_LEVELS, labelled.tokens.codes, labelled.labels, strict=True)
    ]
