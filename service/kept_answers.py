"""Answers that were given before, ready to be sent again: finding evidence takes longer than all the rest."""

import time
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.types import BehaviorTokens
from service.explanation import STAGES, Question
from service.interfaces import ExplanationCache
from service.telemetry import Telemetry
from service.users import Users

_CHECKSUM: Final = 4
_CODES: Final = 12
"""Bytes of BehaviorTokens."""


class _Place(NamedTuple):
    """Where the answer to a question is kept, and whose tokens it rests on."""

    key: str
    user_row: int


@dataclass(frozen=True)
class KeptAnswer:
    """The JSON object that was kept, and the times of finding it again."""

    json: bytes
    timings_ms: dict[str, float]


class KeptAnswers:
    """Answers to questions that ids and sampling alone decide, within one artifact version.

    That is one item, for a user of whom nothing is told beyond the training data, and a text that is repeatable. An
    answer is kept with the user's codes and counts for these alone.
    """

    def __init__(self, *, users: Users, item_ids: IdMap, cache: ExplanationCache, telemetry: Telemetry) -> None:
        self._users = users
        self._item_ids = item_ids
        self._cache = cache
        self._telemetry = telemetry

    async def find(self, question: Question) -> KeptAnswer | None:
        """The answer, counted as an explanation of the cache; None where none is kept or the user's codes changed."""
        place = self._place(question)
        if place is None:
            return None
        started, timings_ms = time.perf_counter(), dict.fromkeys(STAGES, 0.0)
        asked = self._cache.answer(place.key)  # under way beside the look-up of the tokens
        tokens = await self._users.tokens(place.user_row)
        tokens_s = time.perf_counter() - started
        found = _answer_for(tokens, await asked)
        if found is None:
            return None
        total_s = time.perf_counter() - started
        timings_ms |= {"tokens": round(1e3 * tokens_s, 3), "total": round(1e3 * total_s, 3)}
        self._telemetry.count_lookup("explanations", "hit")
        self._telemetry.observe_stage("tokens", tokens_s)
        self._telemetry.observe_stage("total", total_s)
        self._telemetry.count_explanation("cache")
        return KeptAnswer(found, timings_ms)

    async def keep(self, question: Question, tokens: BehaviorTokens, json: bytes) -> None:
        """Keep a JSON object as the answer to this question, for a user with these tokens. Waits for no server."""
        place = self._place(question)
        if place is not None:
            data = tokens.to_bytes() + json
            await self._cache.put_answer(place.key, crc32(data).to_bytes(_CHECKSUM, "little") + data)

    def _place(self, question: Question) -> _Place | None:
        """None for a question whose answer rests on more."""
        sampling = question.sampling
        if question.user_id is None or question.history or question.tokens_of is not None:
            return None
        if len(question.item_ids) > 1 or not sampling.repeatable:
            return None
        user_row = self._users.plain_row(question.user_id)
        if user_row is None:
            return None
        try:
            item_row = self._item_ids.to_row(question.item_ids[0])
        except UnknownId:
            return None
        key = f"{user_row}:{item_row}:{sampling.max_tokens}:{sampling.temperature}:{sampling.seed}"
        return _Place(key, user_row)


def _answer_for(tokens: BehaviorTokens, kept: bytes | None) -> bytes | None:
    """The JSON among the bytes that were kept; None where another writer spoilt them or they are for other tokens."""
    if kept is None or crc32(kept[_CHECKSUM:]).to_bytes(_CHECKSUM, "little") != kept[:_CHECKSUM]:
        return None
    codes, json = kept[_CHECKSUM : _CHECKSUM + _CODES], kept[_CHECKSUM + _CODES :]
    return json if codes == tokens.to_bytes() and json else None
