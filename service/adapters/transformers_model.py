"""TransformersModel: the LanguageModel in this process, for machines without a vLLM server.

One worker thread owns the decoder and runs all that wait side by side, each joining at the next token: the event loop
never waits for a matrix product, and sixteen callers share one pass over the weights. The same thread loads the model,
because a second thread that has once computed with OpenMP makes libgomp put workers to sleep between all operations
when there are more of them than cores (measured: 31 instead of 23 ms a token).
"""

import asyncio
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from model_store.language_model_spec import LanguageModelSpec
from model_store.prompt import PromptEncoder, open_tokenizer
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.decoder import Decoder
from service.adapters.prompt_embeds import check_prompt_embeds
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.telemetry import Telemetry
from service.types import FinishReason, Generation

log = logging.getLogger(__name__)

CANARY: Final = "Name a colour."
CANARY_TOKENS: Final = 4
CONTEXT: Final = 2048
"""Most positions kept of a row; bounds the cache, whatever the model could take."""
DTYPES: Final = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(eq=False)
class _Row:
    """One prompt and what has been written to it so far."""

    prompt_embeds: NDArray[np.float32]
    max_tokens: int
    temperature: float
    answer: "asyncio.Future[Generation]"
    token_ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def cached(self) -> int:
        """Positions in the key/value cache: the prompt and every written token but the last."""
        return len(self.prompt_embeds) + len(self.token_ids) - 1

    @property
    def over(self) -> bool:
        return self.finish_reason is not None or self.answer.done()


class TransformersModel:
    """Greedy or sampled decoding of `prompt_embeds`, up to `max_batch` prompts at a time; others wait their turn."""

    def __init__(
        self,
        folder: Path,
        spec: LanguageModelSpec,
        *,
        dtype: Literal["bfloat16", "float32"] = "bfloat16",
        max_batch: int = 16,
        max_waiting: int = 64,
        timeout_s: float = 60.0,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Loads the model: seconds, so not on the event loop. `timeout_s` counts waiting and decoding together.

        OSError or ValueError where the folder holds no model that transformers can load.
        """
        self._spec, self._timeout_s, self._max_waiting = spec, timeout_s, max_waiting
        self._telemetry = telemetry or Telemetry()
        self._tokenizer: Tokenizer = open_tokenizer(folder)
        self._canary = _canary_embeds(folder, spec, self._tokenizer)
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []
        self._closing = False
        self._changed = threading.Condition()
        loaded: Future[Decoder] = Future()
        load = partial(
            Decoder.open, folder, dtype=DTYPES[dtype], slots=max_batch, capacity=min(spec.context_length, CONTEXT)
        )
        self._worker = threading.Thread(target=self._live, args=(load, loaded), name="language-model", daemon=True)
        self._worker.start()
        self._decoder = loaded.result()

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0
    ) -> Generation:
        check_prompt_embeds(prompt_embeds, self._spec.hidden_size)
        room = self._decoder.capacity - len(prompt_embeds)
        if room < 1:
            raise ValueError(f"prompt of {len(prompt_embeds)} positions; at most {self._decoder.capacity - 1} fit")
        answer: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        self._enqueue(_Row(prompt_embeds, max(1, min(max_tokens, room)), temperature, answer))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer  # a cancelled caller cancels it, and the worker drops the row at the next token
        except TimeoutError as error:
            raise LanguageModelTimeout(self._timeout_s) from error

    async def check(self) -> None:
        """As LanguageModel.check. A model at work on real prompts proves itself: no canary is put before them."""
        if not self._worker.is_alive():
            raise LanguageModelUnavailable("it has been closed")
        if self._rows or self._waiting:
            return
        if not (await self.generate(self._canary, max_tokens=CANARY_TOKENS)).token_ids:
            raise LanguageModelUnavailable("its canary generation came back empty")

    async def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._worker.join)

    def _enqueue(self, row: _Row) -> None:
        with self._changed:
            if self._closing:
                raise LanguageModelUnavailable("it has been closed")
            if len(self._waiting) >= self._max_waiting:
                raise Overloaded("the language model")
            self._waiting.append(row)
            self._changed.notify()

    # ------------------------------------------------------------ the worker thread

    def _live(self, load: Callable[[], Decoder], loaded: "Future[Decoder]") -> None:
        try:
            self._decoder = load()
            loaded.set_result(self._decoder)
        except (OSError, ValueError, RuntimeError) as error:  # for the constructor to raise
            loaded.set_exception(error)
            return
        finally:
            loaded.cancel()  # without effect on a settled one; after anything unforeseen nobody waits for ever
        self._work()

    def _work(self) -> None:
        while not self._closing:
            try:
                self._admit()
                self._advance()
            except (RuntimeError, MemoryError) as error:  # torch's own faults, out of memory among them
                log.exception("the language model failed; %d prompts are given up", len(self._rows))
                self._fail_all(type(error).__name__)
        self._fail_all("it has been closed")

    def _admit(self) -> None:
        """Wait until there is something to do (or it is time to go) and give waiting rows their slots."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._rows or self._waiting)
            self._drop_ended()  # before others join: busy slots stay the first ones, new rows the last
            while self._waiting and len(self._rows) < self._decoder.slots:
                self._rows.append(self._waiting.popleft())
        self._telemetry.observe_step(len(self._rows), len(self._waiting))

    def _advance(self) -> None:
        """One token for every row; the new ones are read in after the old ones' step."""
        old = [row for row in self._rows if row.token_ids]
        if old:
            logits = self._decoder.step([row.token_ids[-1] for row in old], [row.cached for row in old])
            self._write(old, logits)
        for slot, row in enumerate(self._rows):
            if not (row.token_ids or row.over):
                self._write([row], self._decoder.prefill(slot, row.prompt_embeds)[None])

    def _drop_ended(self) -> None:
        """Take out rows that ended or whose caller left; the last row moves into the gap."""
        for slot in reversed(range(len(self._rows))):
            if not self._rows[slot].over:
                continue
            last = self._rows.pop()
            if slot < len(self._rows):
                self._decoder.move(len(self._rows), slot, max(0, last.cached))
                self._rows[slot] = last

    def _write(self, rows: list[_Row], logits: Tensor) -> None:
        best, choices = logits.max(-1)
        for row, value, greedy, row_logits in zip(rows, best.tolist(), choices.tolist(), logits, strict=True):
            if not math.isfinite(value):  # NaN wins every maximum, so one look at it covers all the logits
                self._settle(row, LanguageModelUnavailable("it computed values that are not finite"))
                row.finish_reason = "stop"
                continue
            token_id = greedy if row.temperature <= 0 else _sampled(row_logits, row.temperature)
            if token_id in self._spec.eos_token_ids:
                row.finish_reason = "stop"
            else:
                row.token_ids.append(token_id)
                row.finish_reason = "length" if len(row.token_ids) >= row.max_tokens else None
            if row.finish_reason is not None:
                self._settle(row, self._generation(row, row.finish_reason))

    def _generation(self, row: _Row, finish_reason: FinishReason) -> Generation:
        text = self._tokenizer.decode(row.token_ids, skip_special_tokens=True)
        written = len(row.token_ids)
        return Generation(text, tuple(row.token_ids), finish_reason, len(row.prompt_embeds), written)

    def _fail_all(self, reason: str) -> None:
        with self._changed:
            lost, self._rows = [*self._rows, *self._waiting], []
            self._waiting.clear()
        for row in lost:
            self._settle(row, LanguageModelUnavailable(reason))

    def _settle(self, row: _Row, outcome: Generation | LanguageModelUnavailable) -> None:
        loop = row.answer.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, row.answer, outcome)


def _deliver(answer: "asyncio.Future[Generation]", outcome: Generation | LanguageModelUnavailable) -> None:
    """On the event loop: the caller may have left since."""
    if answer.done():
        return
    if isinstance(outcome, Generation):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def _sampled(logits: Tensor, temperature: float) -> int:
    return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1))


def _canary_embeds(folder: Path, spec: LanguageModelSpec, tokenizer: Tokenizer) -> NDArray[np.float32]:
    text = f"{spec.chat.before_system}{spec.chat.before_user}{CANARY}{spec.chat.before_answer}"
    token_ids = PromptEncoder(tokenizer).encode_text(text, trusted=True)
    return TokenEmbeddings.open(folder, scale=spec.embedding_scale).rows(token_ids)
