"""The wire of the routes that explain."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, Field, model_validator

from service.explanation import Beginning, Evidence, Explanation, Question, Sampling, TextDelta, TextReplaced
from service.kept_answers import KeptAnswer
from service.schemas.common import DeadlineMs, History, OutsideId, Token, WireRequest, tokens_json

MAX_ITEMS = 32


class ExplainRequest(WireRequest):
    """Which item, or which items, to explain to whom."""

    user_id: OutsideId | None = Field(None, description="A user of the training data.", examples=[42])
    history: History = ()
    item_id: OutsideId | None = Field(None, description="An item of the catalogue.", examples=[50])
    item_ids: Annotated[tuple[OutsideId, ...], Field(min_length=1, max_length=MAX_ITEMS)] | None = Field(
        None, description="Several items at once, in place of item_id; not to be streamed."
    )
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=256)] | None = Field(
        None, description="Tokens to write at most; left out: the server's setting."
    )
    temperature: Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False)] = Field(
        0.0, description="0 writes the same text every time."
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = Field(
        None, description="Above temperature 0: draw the same text every time."
    )
    stream: bool = Field(
        False, strict=True, description="Answer with server-sent events: evidence, delta, replace, done, error."
    )
    deadline_ms: DeadlineMs = Field(
        5_000, description="Milliseconds to wait for the language model; then the template answers."
    )
    tokens_of: OutsideId | None = Field(
        None, description="Another user whose behaviour tokens take the place of the subject's: what if?"
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.item_id is None) == (self.item_ids is None):
            raise ValueError("either item_id or item_ids")
        if self.user_id is None and not self.history:
            raise ValueError("user_id or history")
        if self.stream and self.item_ids is not None:
            raise ValueError("stream takes item_id")
        return self

    def question(self, default_max_tokens: int) -> Question:
        """The service's own value."""
        return Question(
            item_ids=self.item_ids or (self.item_id,),  # type: ignore[arg-type]  # one of them is there
            sampling=Sampling(self.max_tokens or default_max_tokens, self.temperature, self.seed),
            deadline_s=self.deadline_ms / 1e3,
            user_id=self.user_id,
            history=self.history,
            tokens_of=self.tokens_of,
        )


class PastItemModel(BaseModel):
    """An item of the user's history that speaks for the asked one."""

    item_id: int | str
    title: str
    similarity: float = Field(description="Cosine with the asked item, -1 to 1.")


class TokenPairModel(BaseModel):
    """A user's and an item's token that belong together."""

    user: Token
    item: Token
    shared_words: list[str] = Field(description="Words of both; empty for a pair that is only near.")
    similarity: float = Field(description="Cosine of their codewords, -1 to 1.")


class EvidenceModel(BaseModel):
    """What is known about user and item apart from any generated text."""

    user_tokens: list[Token]
    item_tokens: list[Token]
    token_pairs: list[TokenPairModel] = Field(description="Pairs that share words; where none does, the nearest.")
    shared_words: list[str] = Field(
        description="Words of tokens of both sides that the item says of itself, and an item of the past too."
    )
    past_items: list[PastItemModel]


class UsageModel(BaseModel):
    """Tokens the language model read and wrote."""

    prompt_tokens: int
    completion_tokens: int


class ExplanationModel(BaseModel):
    """An explanation within an answer that says whom and which item it is about."""

    text: str
    source: Literal["llm", "cache", "template"] = Field(description="Who wrote the text.")
    fallback: str | None = Field(description="Why the template speaks: a word, then a sentence; null if it does not.")
    evidence: EvidenceModel
    usage: UsageModel
    finish_reason: Literal["stop", "length"]
    timings_ms: dict[str, float]


class ExplainResponse(BaseModel):
    """Why this item for this user."""

    user_id: int | str | None
    item_id: int | str
    title: str
    text: str
    source: Literal["llm", "cache", "template"] = Field(description="Who wrote the text.")
    fallback: str | None = Field(description="Why the template speaks: a word, then a sentence; null if it does not.")
    evidence: EvidenceModel
    unknown_items: list[int | str] = Field(description="Items of the told history that the model does not know.")
    model_version: str
    usage: UsageModel
    finish_reason: Literal["stop", "length"]
    timings_ms: dict[str, float]

    @staticmethod
    def of(explanation: Explanation) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return _beginning(explanation) | _end(explanation)


class ExplainManyResponse(BaseModel):
    """Explanations of several items, in the order asked."""

    explanations: list[ExplainResponse]

    @staticmethod
    def of(explanations: Sequence[Explanation]) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {"explanations": [ExplainResponse.of(explanation) for explanation in explanations]}


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An ExplanationModel as plain JSON values."""
    return _text(explanation) | {"evidence": _evidence(explanation.evidence)}


def answer_to_keep(answer: dict[str, Any]) -> bytes:
    """An answer's JSON as the cache gives it to whoever asks the same later."""
    usage = {"prompt_tokens": 0, "completion_tokens": 0}
    timeless = {name: value for name, value in answer.items() if name != "timings_ms"}
    return orjson.dumps(timeless | {"source": "cache", "usage": usage})


def kept_answer(kept: KeptAnswer) -> bytes:
    """The JSON of an answer that was kept, with the times of this request at its end."""
    return b'%b,"timings_ms":%b}' % (kept.json[:-1], orjson.dumps(kept.timings_ms))


def event_of(told: Beginning | TextDelta | TextReplaced | Explanation) -> bytes:
    """One server-sent event of a streamed explanation."""
    match told:
        case Beginning():
            return event("evidence", orjson.dumps(_beginning(told)))
        case TextDelta():
            return event("delta", orjson.dumps({"text": told.text}))
        case TextReplaced():
            return event("replace", orjson.dumps({"text": told.text, "source": told.source}))
        case Explanation():
            named = {"user_id": told.user_id, "item_id": told.item_id, "title": told.title}
            return event("done", orjson.dumps(named | _end(told)))


def event(name: str, data: bytes) -> bytes:
    """A server-sent event; JSON holds no raw line end, so one data line is enough."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _beginning(known: Beginning | Explanation) -> dict[str, Any]:
    return {
        "user_id": known.user_id,
        "item_id": known.item_id,
        "title": known.title,
        "evidence": _evidence(known.evidence),
        "unknown_items": known.unknown_items,
        "model_version": known.model_version,
    }


def _end(explanation: Explanation) -> dict[str, Any]:
    return _text(explanation) | {"model_version": explanation.model_version}


def _text(explanation: Explanation) -> dict[str, Any]:
    return {
        "text": explanation.text,
        "source": explanation.source,
        "fallback": explanation.fallback,
        "usage": {
            "prompt_tokens": explanation.usage.prompt_tokens,
            "completion_tokens": explanation.usage.completion_tokens,
        },
        "finish_reason": explanation.finish_reason,
        "timings_ms": explanation.timings_ms,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    users, items = tokens_json(evidence.user), tokens_json(evidence.item)
    return {
        "user_tokens": users,
        "item_tokens": items,
        "token_pairs": [
            {
                "user": users[pair.user_level],
                "item": items[pair.item_level],
                "shared_words": pair.words,
                "similarity": pair.similarity,
            }
            for pair in evidence.token_pairs
        ],
        "shared_words": evidence.shared_words,
        "past_items": [
            {"item_id": past.item_id, "title": past.title, "similarity": past.similarity}
            for past in evidence.past_items
        ],
    }
