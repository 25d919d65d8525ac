"""A question about many prompts at once: how probable some tokens are as the first of each one's answer."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from service.adapters.decoder import FirstLogits
from service.adapters.prompt_row import settle
from service.adapters.shared_beginning import Prompts
from service.errors import LanguageModelUnavailable


@dataclass(eq=False)
class Judgement:
    """What is asked, made on the event loop; the worker answers it batch by batch.

    Shapes: prompts n times (seq, hidden) -> answer (n, len(token_ids)).
    """

    prompts: Prompts
    token_ids: list[int]
    answer: "asyncio.Future[NDArray[np.float32]]"

    def __post_init__(self) -> None:
        self._logprobs = np.zeros((len(self.prompts), len(self.token_ids)), np.float32)
        self._left = len(self.prompts)
        self._batches: Iterator[FirstLogits] | None = None

    @property
    def over(self) -> bool:
        """Whether its caller has left or been answered."""
        return self.answer.done()

    def advance(self, read: Callable[[Prompts], Iterator[FirstLogits]]) -> bool:
        """Read one more batch; whether that was the last: the caller is answered then, or once numbers are none."""
        if self._batches is None:
            self._batches = read(self.prompts)
        batch = next(self._batches)
        logprobs = torch.log_softmax(batch.logits, -1)[:, self.token_ids]
        if not torch.isfinite(logprobs).all():
            self.settle(LanguageModelUnavailable("it computed values that are not finite"))
            return True
        self._logprobs[batch.rows] = logprobs.cpu().numpy()
        self._left -= len(batch.rows)
        if not self._left:
            self.settle(self._logprobs)
        return not self._left

    def settle(self, outcome: NDArray[np.float32] | LanguageModelUnavailable) -> None:
        """Answer the caller, from any thread."""
        settle(self.answer, outcome)
