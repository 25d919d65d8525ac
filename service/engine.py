"""The language model while it starts, answers, fails and comes back."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

import numpy as np
from numpy.typing import NDArray

from service.errors import LanguageModelTimeout, LanguageModelUnavailable, NotReady, Overloaded
from service.interfaces import LanguageModel, TextStream
from service.telemetry import Telemetry
from service.types import Generation, Part

log = logging.getLogger(__name__)

_RECHECK_S = 1.0
"""Shortest pause between checks."""
_SLOW_S = 2.0
"""A question given up after so long calls for a check."""
_SMOOTHING = 0.2
"""Weight of the newest answer in the mean time of an answer."""


class Engine:
    """A LanguageModel made by `build` in the background, and asked regularly whether it really answers.

    A circuit breaker: while it starts, or after a check or a generation failed and until a check succeeds again,
    requests are refused at once. An engine that got one bad tensor goes on answering nonsense with status 200 (vLLM),
    so only a canary tells; one that hangs is found by the canary's deadline.
    """

    def __init__(
        self,
        build: Callable[[], LanguageModel],
        *,
        check_interval_s: float,
        check_timeout_s: float = 10.0,
        max_prompts: int = 64,
        telemetry: Telemetry,
    ) -> None:
        """`max_prompts` bounds what is under way at once, waiting prompts included."""
        self._build = build
        self._check_interval_s = check_interval_s
        self._check_timeout_s = check_timeout_s
        self._max_prompts = max_prompts
        self._under_way = 0
        self._answered = -math.inf
        self._answer_s = 1.0
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
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        """As LanguageModel.generate; and what `refuse_unless_open` raises."""
        with self._asking(1) as model:
            answer = await model.generate(prompt_embeds, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return self._counted(answer)

    async def generate_many(
        self,
        prompts: Sequence[NDArray[np.float32]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> list[Generation]:
        """As LanguageModel.generate_many; and what `refuse_unless_open` raises."""
        with self._asking(len(prompts)) as model:
            answers = await model.generate_many(prompts, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return [self._counted(answer) for answer in answers]

    async def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        """As LanguageModel.stream; and what `refuse_unless_open` raises."""
        closing: Generation | None = None
        with self._asking(1) as model:
            pieces = model.stream(prompt_embeds, max_tokens=max_tokens, temperature=temperature, seed=seed)
            async with aclosing(pieces):
                async for piece in pieces:
                    if isinstance(piece, Generation):
                        closing = self._counted(piece)
                    else:
                        yield piece
        if closing is not None:  # out of the block: who leaves after the last piece has not given up
            yield closing

    async def first_token_logprobs(
        self, prompts: Sequence[NDArray[np.float32]], token_ids: Sequence[int]
    ) -> NDArray[np.float32]:
        """As LanguageModel.first_token_logprobs; and what `refuse_unless_open` raises."""
        with self._asking(len(prompts)) as model:
            logprobs = await model.first_token_logprobs(prompts, token_ids)
        self._telemetry.count_tokens(sum(map(len, prompts)), 0)
        return logprobs

    def refuse_unless_open(self, prompts: int = 1) -> None:
        """Return when so many prompts would be taken now.

        Raises NotReady while it starts, LanguageModelUnavailable while it is down, Overloaded while too many are under
        way: a queue that grew beyond what the model writes in time would answer nobody.
        """
        if self._part.state == "down":
            raise LanguageModelUnavailable(self._part.detail)
        if self._model is None or self._part.state == "starting":
            raise NotReady("the language model")
        if self._under_way and self._under_way + prompts > self._max_prompts:
            raise Overloaded("the language model", retry_after_s=math.ceil(self._answer_s))

    async def close(self) -> None:
        """Stop checking and close the language model."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._model is not None:
            await self._model.close()

    @contextmanager
    def _asking(self, prompts: int) -> Iterator[LanguageModel]:
        """The model, for one question: its failures open the breaker, its answers are told to the canary."""
        self.refuse_unless_open(prompts)
        assert self._model is not None
        started = time.monotonic()
        self._under_way += prompts
        try:
            with self._telemetry.generations(prompts):
                yield self._model
        except LanguageModelUnavailable as error:
            self._set(Part("down", error.reason))
            self._wake.set()
            raise
        except LanguageModelTimeout:
            self._wake.set()  # slow is not down, but the canary should look soon
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if time.monotonic() - started > _SLOW_S:  # its caller may have given up
                self._wake.set()
            raise
        else:
            self._answered = time.monotonic()
            self._answer_s += _SMOOTHING * (self._answered - started - self._answer_s)
        finally:
            self._under_way -= prompts

    def _counted(self, generation: Generation) -> Generation:
        self._telemetry.count_tokens(generation.prompt_tokens, generation.completion_tokens)
        return generation

    async def _run(self) -> None:
        self._model = await asyncio.to_thread(self._build)
        while True:
            self._wake.clear()
            if self._part.state == "down":
                self._telemetry.set_breaker("half_open")  # one question, ours, decides
            fault = await self._fault(self._model)
            self._set(Part("ok") if fault is None else Part("down", fault))
            await asyncio.sleep(min(_RECHECK_S, self._check_interval_s))
            if fault is None:
                with contextlib.suppress(
                    TimeoutError
                ):  # not wait_for: before Python 3.12 it can swallow a cancellation
                    async with asyncio.timeout(self._check_interval_s):
                        await self._wake.wait()

    async def _fault(self, model: LanguageModel) -> str | None:
        """Why the canary did not sing; None when it did."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._check_timeout_s):
                await model.check()
        except Overloaded:  # too busy for a canary is not down
            return None
        except LanguageModelUnavailable as error:
            return error.reason
        except (LanguageModelTimeout, TimeoutError):
            if self._answered > started:  # slow, and at work: others were answered meanwhile
                return None
            return f"it did not answer within {self._check_timeout_s:g} s"
        return None

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
