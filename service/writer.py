"""Texts for items and their evidence: kept ones, and new ones that passed the grounding check."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from model_store.types import Item
from service import grounding
from service.engine import Engine
from service.errors import ServiceError
from service.explanation import Evidence, KeptText, RejectReason, Sampling, Usage
from service.flights import Flight, Flights
from service.interfaces import ExplanationCache
from service.prompt_maker import PromptMaker
from service.telemetry import Telemetry
from service.title_matcher import TitleMatcher
from service.types import FinishReason, Generation

_RETRY_TEMPERATURE = 0.3
"""Enough to leave the path that was rejected, too little to leave the subject."""


@dataclass(frozen=True)
class Brief:
    """What a text is to be about, and how it is to be drawn."""

    item: Item
    evidence: Evidence
    sampling: Sampling

    @cached_property
    def key(self) -> str:
        """What the text follows from, within one artifact version: no prompt has to be embedded to know it.

        The version fixes template, soft tokens, titles and texts; so the codes and ids stand for the whole prompt.
        """
        past = [past.item_id for past in self.evidence.past_items]
        codes = (*self.evidence.user.tokens.codes, *self.evidence.item.tokens.codes)
        sampling = (self.sampling.max_tokens, self.sampling.temperature, self.sampling.seed)
        return blake2b(repr((codes, self.item.item_id, past, sampling)).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Written:
    """What became of a brief; `text` is None where nothing that was written could be kept."""

    text: str | None
    rejected: RejectReason | None = None
    """Why, or what is not as it was written."""
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    """prompt, queue, first_token and decode of the first attempt, which all who shared it waited for."""


class Writer:
    """The language model behind a cache, single flight and the grounding check."""

    def __init__(
        self,
        *,
        engine: Engine,
        prompts: PromptMaker,
        cache: ExplanationCache,
        titles: TitleMatcher,
        telemetry: Telemetry,
    ) -> None:
        self._engine = engine
        self._prompts = prompts
        self._cache = cache
        self._titles = titles
        self._telemetry = telemetry
        self.flights: Flights[Written] = Flights()
        """Texts being written now; whoever waits for one must be aboard."""

    async def kept(self, briefs: Sequence[Brief]) -> list[KeptText | None]:
        """The cache's texts. Only what is repeatable is looked for: a drawn text is wanted new."""
        if len(briefs) == 1:
            return [await self._kept(briefs[0])]
        return list(await asyncio.gather(*(self._kept(brief) for brief in briefs)))

    def refuse_unless_open(self, briefs: Sequence[Brief]) -> None:
        """As Engine.refuse_unless_open, for those of the briefs that nobody writes already."""
        new = sum(self._under_way(brief) is None for brief in briefs)
        if new:
            self._engine.refuse_unless_open(new)

    def write(self, briefs: Sequence[Brief], *, stream: bool = False) -> list[Flight[Written]]:
        """A flight for each brief: one under way, or a new one. New ones are computed together.

        With `stream`, which takes one brief, text is told as it is written. What a flight raises: see Engine.generate.
        """
        found = [self._under_way(brief) for brief in briefs]
        new = {self._flight_key(brief): brief for brief, flight in zip(briefs, found, strict=True) if flight is None}
        started: dict[object, Flight[Written]] = {}
        if new:
            make = partial(self._write_all, list(new.values()), stream)
            started = dict(zip(new, self.flights.start(list(new), make), strict=True))
        return [flight or started[self._flight_key(brief)] for brief, flight in zip(briefs, found, strict=True)]

    def _under_way(self, brief: Brief) -> Flight[Written] | None:
        return self.flights.find(self._flight_key(brief))

    def _flight_key(self, brief: Brief) -> object:
        return brief.key if brief.sampling.repeatable else id(brief)  # a drawn text is shared with nobody

    async def _kept(self, brief: Brief) -> KeptText | None:
        return await self._cache.get(brief.key) if brief.sampling.repeatable else None

    async def _write_all(self, briefs: Sequence[Brief], stream: bool, flights: Sequence[Flight[Written]]) -> None:
        """Land every flight: with the first text if it can be kept, else with a second one, else without any."""
        timings_ms: dict[str, float] = {}
        with self._telemetry.stage("prompt", timings_ms):
            prompts = await self._embedded(briefs)
        sampling = briefs[0].sampling
        if stream:
            generations = [await self._streamed(prompts[0], sampling, flights[0])]
        else:
            generations = await self._generated(prompts, sampling)
        rejected: list[int] = []
        first: list[Written] = []
        for place, generation in enumerate(generations):
            first.append(self._judged(briefs[place], generation, {**timings_ms, **self._times_ms(generation)}))
            if first[place].text is None:
                rejected.append(place)
            else:
                await self._land(briefs[place], first[place], flights[place])
        if rejected:
            second = await self._second_attempt([prompts[place] for place in rejected], sampling)
            for number, place in enumerate(rejected):
                written = self._rejudged(briefs[place], second[number], first[place]) if second else first[place]
                await self._land(briefs[place], written, flights[place])

    async def _embedded(self, briefs: Sequence[Brief]) -> list[NDArray[np.float32]]:
        if len(briefs) == 1:
            return [self._prompts.embeds(briefs[0].item, briefs[0].evidence)]
        return await asyncio.to_thread(lambda: [self._prompts.embeds(brief.item, brief.evidence) for brief in briefs])

    async def _generated(self, prompts: list[NDArray[np.float32]], sampling: Sampling) -> list[Generation]:
        if len(prompts) == 1:
            return [await self._engine.generate(prompts[0], **vars(sampling))]
        return await self._engine.generate_many(prompts, **vars(sampling))

    async def _streamed(
        self, prompt_embeds: NDArray[np.float32], sampling: Sampling, flight: Flight[Written]
    ) -> Generation:
        async with aclosing(self._engine.stream(prompt_embeds, **vars(sampling))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Generation):
                    return piece
                flight.tell(piece)
        raise AssertionError("a stream ends with its generation")

    async def _second_attempt(self, prompts: list[NDArray[np.float32]], sampling: Sampling) -> list[Generation] | None:
        """Drawn a little differently, by a seed that follows from the first one's; None where the model fails now."""
        seed = None if not sampling.repeatable else (sampling.seed or 0) + 1
        temperature = max(sampling.temperature, _RETRY_TEMPERATURE)
        try:
            return await self._generated(prompts, replace(sampling, temperature=temperature, seed=seed))
        except ServiceError:
            return None

    def _judged(self, brief: Brief, generation: Generation, timings_ms: Mapping[str, float]) -> Written:
        verdict = grounding.check(generation, brief.item.title, brief.evidence, self._titles)
        if verdict.reason is not None:
            self._telemetry.count_rejection(verdict.reason)
        usage = Usage(generation.prompt_tokens, generation.completion_tokens)
        return Written(verdict.text, verdict.reason, generation.finish_reason, usage, timings_ms)

    def _rejudged(self, brief: Brief, generation: Generation, first: Written) -> Written:
        second = self._judged(brief, generation, first.timings_ms)
        read = first.usage.prompt_tokens + second.usage.prompt_tokens
        return replace(second, usage=Usage(read, first.usage.completion_tokens + second.usage.completion_tokens))

    def _times_ms(self, generation: Generation) -> dict[str, float]:
        times = generation.times
        self._telemetry.observe_generation(times)
        seconds = {"queue": times.queue_s, "first_token": times.first_token_s, "decode": times.decode_s}
        return {name: round(1e3 * spent_s, 3) for name, spent_s in seconds.items()}

    async def _land(self, brief: Brief, written: Written, flight: Flight[Written]) -> None:
        if written.text is not None and brief.sampling.repeatable:
            await self._cache.put(brief.key, KeptText(written.text, written.finish_reason))
        flight.land(written)
