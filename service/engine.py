"""The language model while it starts, answers, fails and comes back."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.errors import LanguageModelTimeout, LanguageModelUnavailable, NotReady, Overloaded
from service.interfaces import LanguageModel
from service.telemetry import Telemetry
from service.types import Generation, Part

log = logging.getLogger(__name__)

_RECHECK_S = 1.0
"""Pause between checks while the language model is down."""


class Engine:
    """A LanguageModel made by `build` in the background, and asked regularly whether it really answers.

    While it starts, or after a check or a generation failed and until a check succeeds again, requests are refused at
    once: an engine that got one bad tensor goes on answering nonsense with status 200 (vLLM), so only a canary tells.
    """

    def __init__(self, build: Callable[[], LanguageModel], *, check_interval_s: float, telemetry: Telemetry) -> None:
        self._build = build
        self._check_interval_s = check_interval_s
        self._telemetry = telemetry
        self._model: LanguageModel | None = None
        self._part = Part("starting", "loading")
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin loading; returns at once. To be called within the event loop."""
        self._telemetry.set_part_up("language_model", False)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def part(self) -> Part:
        """What is known of the language model; costs nothing."""
        return self._part

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0
    ) -> Generation:
        """As LanguageModel.generate; NotReady while it starts, LanguageModelUnavailable while it is down."""
        if self._part.state == "down":
            raise LanguageModelUnavailable(self._part.detail)
        if self._model is None or self._part.state == "starting":
            raise NotReady("the language model")
        try:
            with self._telemetry.generations():
                generation = await self._model.generate(prompt_embeds, max_tokens=max_tokens, temperature=temperature)
        except LanguageModelUnavailable as error:
            self._set(Part("down", error.reason))
            self._wake.set()
            raise
        except LanguageModelTimeout:
            self._wake.set()  # slow is not down, but the canary should look soon
            raise
        self._telemetry.count_tokens(generation.prompt_tokens, generation.completion_tokens)
        return generation

    async def close(self) -> None:
        """Stop checking and close the language model."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._model is not None:
            await self._model.close()

    async def _run(self) -> None:
        self._model = await asyncio.to_thread(self._build)
        while True:
            self._wake.clear()
            try:
                with contextlib.suppress(Overloaded):  # too busy for a canary is not down
                    await self._model.check()
            except (LanguageModelUnavailable, LanguageModelTimeout) as error:
                self._set(Part("down", getattr(error, "reason", str(error))))
                await asyncio.sleep(min(_RECHECK_S, self._check_interval_s))
                continue
            self._set(Part("ok"))
            with contextlib.suppress(TimeoutError):  # not wait_for: before Python 3.12 it can swallow a cancellation
                async with asyncio.timeout(self._check_interval_s):
                    await self._wake.wait()

    def _set(self, part: Part) -> None:
        if part.state != self._part.state:
            level = logging.INFO if part.state == "ok" else logging.WARNING
            log.log(level, "language model %s: %s", part.state, part.detail or "it answers")
        self._part = part
        self._telemetry.set_part_up("language_model", part.state == "ok")
        self._telemetry.set_breaker("open" if part.state == "down" else "closed")

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the language model could not be loaded", exc_info=error)
            self._set(Part("down", "it could not be loaded; the log says why"))
