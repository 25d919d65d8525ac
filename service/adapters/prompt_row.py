"""One prompt in the in-process engine, from the caller who asks to the text that comes back."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from service.errors import LanguageModelUnavailable
from service.types import FinishReason, Generation, GenerationTimes

_T = TypeVar("_T")


@dataclass(eq=False)
class PromptRow:
    """What is asked of the engine, and what it has written so far. Made on the event loop, written by the worker.

    `on_text` gets each piece of text on the event loop, and then, when `answer` is settled, no more.
    """

    prompt_embeds: NDArray[np.float32]
    max_tokens: int
    temperature: float
    generator: torch.Generator | None
    answer: "asyncio.Future[Generation]"
    on_text: Callable[[str], None] | None = None
    token_ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def __post_init__(self) -> None:
        self._asked = self._admitted = self._first = time.perf_counter()
        self._pieces = DecodeStream(skip_special_tokens=True) if self.on_text is not None else None
        self._told = 0

    @property
    def cached(self) -> int:
        """Positions in the key/value cache: the prompt and every written token but the last."""
        return len(self.prompt_embeds) + len(self.token_ids) - 1

    @property
    def over(self) -> bool:
        """Whether nothing more is to be written: it has ended, or its caller has left."""
        return self.finish_reason is not None or self.answer.done()

    def admit(self) -> None:
        """It has a slot now."""
        self._admitted = time.perf_counter()

    def append(self, token_id: int, tokenizer: Tokenizer) -> None:
        """One more token; what it completes of the text is told at once."""
        if not self.token_ids:
            self._first = time.perf_counter()
        self.token_ids.append(token_id)
        if self._pieces is not None:
            piece = self._pieces.step(tokenizer, token_id)  # None within a character of several tokens
            self._tell(piece or "")

    def finish(self, reason: FinishReason, tokenizer: Tokenizer) -> None:
        """It has ended: tell what is left of the text, and settle."""
        self.finish_reason = reason
        ended = time.perf_counter()
        text = tokenizer.decode(self.token_ids, skip_special_tokens=True)
        self._tell(text[self._told :])  # a character that was never completed
        first = self._first if self.token_ids else ended
        times = GenerationTimes(self._admitted - self._asked, first - self._admitted, ended - first)
        written = len(self.token_ids)
        self.settle(Generation(text, tuple(self.token_ids), reason, len(self.prompt_embeds), written, times))

    def settle(self, outcome: Generation | LanguageModelUnavailable) -> None:
        """Answer the caller, from any thread."""
        settle(self.answer, outcome)

    def _tell(self, piece: str) -> None:
        if piece and self.on_text is not None:
            self._told += len(piece)
            _call(self.answer, self.on_text, piece)


def settle(answer: "asyncio.Future[_T]", outcome: _T | LanguageModelUnavailable) -> None:
    """Answer who waits for this on an event loop, from any thread."""
    _call(answer, _deliver, answer, outcome)


def _call(waited_for: "asyncio.Future[_T]", function: Callable[..., None], *arguments: object) -> None:
    loop = waited_for.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)


def _deliver(answer: "asyncio.Future[_T]", outcome: _T | LanguageModelUnavailable) -> None:
    """On the event loop: the caller may have left since."""
    if answer.done():
        return
    if isinstance(outcome, LanguageModelUnavailable):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
