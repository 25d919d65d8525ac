"""The use case behind POST /explain."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from model_store.catalog import Catalog
from model_store.types import BehaviorTokens, ItemId
from service import grounding
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, NotReady, Overloaded
from service.evidence import EvidenceSelector
from service.explanation import (
    STAGES,
    Beginning,
    Explanation,
    KeptText,
    Question,
    Sampling,
    TextDelta,
    TextReplaced,
    Usage,
)
from service.flights import Flight
from service.rows import item_row
from service.telemetry import Telemetry
from service.types import FinishReason, Source, Subject
from service.users import Users
from service.writer import Brief, Writer, Written

_WHOLE: Final[FinishReason] = "stop"
_TEMPLATE: Final[Source] = "template"
_NO_LANGUAGE_MODEL: Final = "off: the service runs without a language model"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A question with everything known before a text is written; all of it is quick."""

    subject: Subject
    briefs: tuple[Brief, ...]
    kept: tuple[KeptText | None, ...]
    """Texts of the cache, one for each brief."""
    started: float
    """When it was asked, and until when (both by time.perf_counter) it is to be answered."""
    deadline: float
    timings_ms: dict[str, float]
    fallback: str | None = None
    """Why nothing new can be written now; None when it can."""

    @property
    def at_once(self) -> bool:
        """Whether nobody has to be waited for."""
        return self.fallback is not None or None not in self.kept


class Explainer:
    """Says why an item suits a subject: evidence first, then words for it.

    The words come from the language model, from the cache, or from a template: within the deadline, whatever happens.
    Without `writer` (a service told to run without a language model) they always come from the template.
    """

    def __init__(
        self,
        *,
        version: str,
        users: Users,
        catalog: Catalog,
        evidence: EvidenceSelector,
        writer: Writer | None,
        max_tokens: int,
        telemetry: Telemetry,
    ) -> None:
        self.max_tokens = max_tokens
        """Tokens a text may have where the question does not say."""
        self._version = version
        self._users = users
        self._catalog = catalog
        self._evidence = evidence
        self._writer = writer
        self._telemetry = telemetry

    async def prepare(self, question: Question) -> Prepared:
        """Subject, evidence and kept texts. Raises UnknownUser, UnknownHistory, UnknownItem, Overloaded."""
        started, timings_ms = time.perf_counter(), dict.fromkeys(STAGES, 0.0)
        rows = [item_row(self._catalog.ids, item_id) for item_id in question.item_ids]
        with self._telemetry.stage("tokens", timings_ms):
            subject = await self._users.subject(question.user_id, question.history)
            tokens = subject.tokens
            if question.tokens_of is not None:
                tokens = await self._users.tokens(self._users.row(question.tokens_of))
        with self._telemetry.stage("retrieval", timings_ms):
            briefs = self._briefs(subject, tokens, rows, question.sampling)
        prepared = await self._prepared(subject, briefs, started, question.deadline_s, timings_ms)
        return replace(prepared, fallback=self._closed(prepared))

    async def explain_items(
        self, subject: Subject, item_ids: Sequence[ItemId], *, deadline_s: float
    ) -> list[Explanation]:
        """Explanations of items for a subject that is known already, such as those just recommended.

        Nothing is refused: where the language model has no room, the template answers.
        """
        started, timings_ms = time.perf_counter(), dict.fromkeys(STAGES, 0.0)
        rows = [item_row(self._catalog.ids, item_id) for item_id in item_ids]
        with self._telemetry.stage("retrieval", timings_ms):
            briefs = self._briefs(subject, subject.tokens, rows, Sampling(self.max_tokens))
        prepared = await self._prepared(subject, briefs, started, deadline_s, timings_ms)
        try:
            return await self.explain(replace(prepared, fallback=self._closed(prepared)))
        except Overloaded as error:
            return await self.explain(replace(prepared, fallback=f"overloaded: {error}"))

    async def explain(self, prepared: Prepared) -> list[Explanation]:
        """The explanations, in the order of the question's items. Raises Overloaded."""
        texts: list[KeptText | Written | str] = [text or prepared.fallback or "" for text in prepared.kept]
        missing = [place for place, text in enumerate(texts) if not text]
        if missing:
            assert self._writer is not None
            flights = self._writer.write([prepared.briefs[place] for place in missing])
            with self._writer.flights.boarded(flights):
                for place, flight in zip(missing, flights, strict=True):
                    texts[place] = await self._arrived(flight, prepared)
        return [self._explanation(prepared, place, text) for place, text in enumerate(texts)]

    async def stream(
        self, prepared: Prepared
    ) -> AsyncGenerator[Beginning | TextDelta | TextReplaced | Explanation, None]:
        """What is known of the only item, its text as it comes, then its explanation. Closing it stops the writing."""
        yield self._beginning(prepared)
        if prepared.at_once:
            (explanation,) = await self.explain(prepared)
            yield TextDelta(explanation.text)
            yield explanation
            return
        assert self._writer is not None
        (flight,) = self._writer.write(prepared.briefs, stream=True)
        told = ""
        with self._writer.flights.boarded([flight]):
            async with aclosing(flight.pieces()) as pieces:
                while (piece := await self._next_piece(pieces, prepared)) is not None:
                    if not told:
                        self._telemetry.observe_first_token(time.perf_counter() - prepared.started)
                    told += piece
                    yield TextDelta(piece)
            arrived = await self._arrived(flight, prepared)
        explanation = self._explanation(prepared, 0, arrived)
        if explanation.text != grounding.tidied(told):
            yield TextReplaced(explanation.text, explanation.source)
        yield explanation

    def _beginning(self, prepared: Prepared) -> Beginning:
        (brief,), subject = prepared.briefs, prepared.subject
        item, evidence = brief.item, brief.evidence
        return Beginning(subject.user_id, item.item_id, item.title, evidence, self._version, subject.unknown_items)

    def _briefs(
        self, subject: Subject, tokens: BehaviorTokens, rows: Sequence[int], sampling: Sampling
    ) -> tuple[Brief, ...]:
        return tuple(
            Brief(self._catalog.item(row), self._evidence.select(tokens, subject.history, row), sampling)
            for row in rows
        )

    async def _prepared(
        self,
        subject: Subject,
        briefs: tuple[Brief, ...],
        started: float,
        deadline_s: float,
        timings_ms: dict[str, float],
    ) -> Prepared:
        kept = await self._writer.kept(briefs) if self._writer else [None] * len(briefs)
        return Prepared(subject, briefs, tuple(kept), started, started + deadline_s, timings_ms)

    def _closed(self, prepared: Prepared) -> str | None:
        """Why no text that is missing can be written now; None when it can. Raises Overloaded."""
        if self._writer is None:
            return _NO_LANGUAGE_MODEL
        missing = [brief for brief, text in zip(prepared.briefs, prepared.kept, strict=True) if text is None]
        try:
            self._writer.refuse_unless_open(missing)
        except NotReady as error:
            return f"starting: {error}"
        except LanguageModelUnavailable as error:
            return f"down: {error}"
        return None

    async def _arrived(self, flight: Flight[Written], prepared: Prepared) -> Written | str:
        """What was written before the deadline, or why nothing was."""
        try:
            async with asyncio.timeout(prepared.deadline - time.perf_counter()):
                return await flight.arrival()
        except (TimeoutError, LanguageModelTimeout):
            return f"deadline: no text within {round(1e3 * (prepared.deadline - prepared.started))} ms"
        except (LanguageModelUnavailable, NotReady) as error:
            return f"down: {error}"

    async def _next_piece(self, pieces: AsyncGenerator[str, None], prepared: Prepared) -> str | None:
        """None when there is no more, or no more time."""
        try:
            async with asyncio.timeout(prepared.deadline - time.perf_counter()):
                return await anext(pieces, None)
        except TimeoutError:
            return None

    def _explanation(self, prepared: Prepared, place: int, found: KeptText | Written | str) -> Explanation:
        brief, timings_ms = prepared.briefs[place], prepared.timings_ms.copy()
        text: str | None = None
        fallback, usage, finish_reason, source = None, Usage(), _WHOLE, _TEMPLATE
        match found:
            case KeptText():
                text, finish_reason, source = found.text, found.finish_reason, "cache"
            case Written(text=None):
                fallback, usage = f"{found.rejected}: what was written may not be shown", found.usage
                timings_ms.update(found.timings_ms)
            case Written():
                text, finish_reason, source, usage = found.text, found.finish_reason, "llm", found.usage
                timings_ms.update(found.timings_ms)
            case str():
                fallback = found
        seconds = time.perf_counter() - prepared.started
        timings_ms["total"] = round(1e3 * seconds, 3)
        self._telemetry.observe_stage("total", seconds)
        self._telemetry.count_explanation(source)
        return Explanation(
            user_id=prepared.subject.user_id,
            item_id=brief.item.item_id,
            title=brief.item.title,
            text=text or grounding.template(brief.item.title, brief.evidence),
            source=source,
            evidence=brief.evidence,
            model_version=self._version,
            usage=usage,
            finish_reason=finish_reason,
            fallback=fallback,
            unknown_items=prepared.subject.unknown_items,
            timings_ms=timings_ms,
        )
