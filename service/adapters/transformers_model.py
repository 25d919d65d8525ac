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
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

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
from service.adapters.prompt_row import PromptRow
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.interfaces import TextStream
from service.telemetry import Telemetry
from service.types import Generation

log = logging.getLogger(__name__)

CANARY: Final = "Name a colour."
CANARY_TOKENS: Final = 8
CONTEXT: Final = 2048
"""Most positions kept of a row; bounds the cache, whatever the model could take."""
DTYPES: Final = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_T = TypeVar("_T")


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
        self._canary_ids = _canary_ids(spec, self._tokenizer)
        self._canary = TokenEmbeddings.open(folder, scale=spec.embedding_scale).rows(self._canary_ids)
        self._in_parity = False
        self._waiting: deque[PromptRow] = deque()
        self._rows: list[PromptRow] = []
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
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        row = self._row(prompt_embeds, max_tokens, temperature, seed)
        self._enqueue([row])
        return (await self._answers([row]))[0]

    async def generate_many(
        self,
        prompts: Sequence[NDArray[np.float32]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> list[Generation]:
        rows = [self._row(prompt_embeds, max_tokens, temperature, seed) for prompt_embeds in prompts]
        self._enqueue(rows)
        return await self._answers(rows)

    async def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()  # None: the answer is settled
        row = self._row(prompt_embeds, max_tokens, temperature, seed, on_text=pieces.put_nowait)
        row.answer.add_done_callback(lambda _: pieces.put_nowait(None))
        self._enqueue([row])
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            while (piece := await self._until(deadline, pieces.get())) is not None:
                yield piece
            yield await row.answer
        finally:
            row.answer.cancel()  # without effect on a settled one; else the worker drops the row at the next token

    async def check(self) -> None:
        """As LanguageModel.check; the first time with the parity test.

        Parity: after the model's own embeddings of the canary's ids it must write what it writes after ours.
        A model at work on real prompts proves itself: no canary is put before them.
        """
        if not self._worker.is_alive():
            raise LanguageModelUnavailable("it has been closed")
        if self._in_parity and (self._rows or self._waiting):
            return
        written = (await self.generate(self._canary, max_tokens=CANARY_TOKENS)).token_ids
        if not written:
            raise LanguageModelUnavailable("its canary generation came back empty")
        if not self._in_parity:
            of_ids = await self.generate(self._decoder.embeddings_of(self._canary_ids), max_tokens=CANARY_TOKENS)
            if of_ids.token_ids != written:
                raise LanguageModelUnavailable("its answers to token ids and to their embeddings differ")
            self._in_parity = True

    async def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._worker.join)

    def _row(
        self,
        prompt_embeds: NDArray[np.float32],
        max_tokens: int,
        temperature: float,
        seed: int | None,
        on_text: Callable[[str], None] | None = None,
    ) -> PromptRow:
        check_prompt_embeds(prompt_embeds, self._spec.hidden_size)
        room = self._decoder.capacity - len(prompt_embeds)
        if room < 1:
            raise ValueError(f"prompt of {len(prompt_embeds)} positions; at most {self._decoder.capacity - 1} fit")
        generator = None if seed is None else torch.Generator(self._decoder.device).manual_seed(seed)
        answer: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        return PromptRow(prompt_embeds, max(1, min(max_tokens, room)), temperature, generator, answer, on_text)

    def _enqueue(self, rows: list[PromptRow]) -> None:
        with self._changed:
            if self._closing:
                raise LanguageModelUnavailable("it has been closed")
            self._waiting = deque(row for row in self._waiting if not row.over)  # a caller who left holds no place
            if len(self._waiting) + len(rows) > self._max_waiting:
                raise Overloaded("the language model")
            self._waiting.extend(rows)
            self._changed.notify()

    async def _answers(self, rows: list[PromptRow]) -> list[Generation]:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            return await self._until(deadline, asyncio.gather(*(row.answer for row in rows)))
        finally:
            for row in rows:
                row.answer.cancel()  # one has failed or the caller has left: the worker drops the others

    async def _until(self, deadline: float, work: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout_at(deadline):
                return await work
        except TimeoutError as error:
            raise LanguageModelTimeout(self._timeout_s) from error

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
                row = self._waiting.popleft()
                if not row.over:  # a caller who left while waiting needs no slot
                    row.admit()
                    self._rows.append(row)
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

    def _write(self, rows: list[PromptRow], logits: Tensor) -> None:
        best, choices = logits.max(-1)
        for row, value, greedy, row_logits in zip(rows, best.tolist(), choices.tolist(), logits, strict=True):
            if not math.isfinite(value):  # NaN wins every maximum, so one look at it covers all the logits
                row.settle(LanguageModelUnavailable("it computed values that are not finite"))
                row.finish_reason = "stop"
                continue
            token_id = greedy if row.temperature <= 0 else _sampled(row_logits, row.temperature, row.generator)
            if token_id in self._spec.eos_token_ids:
                row.finish("stop", self._tokenizer)
                continue
            row.append(token_id, self._tokenizer)
            if len(row.token_ids) >= row.max_tokens:
                row.finish("length", self._tokenizer)

    def _fail_all(self, reason: str) -> None:
        with self._changed:
            lost, self._rows = [*self._rows, *self._waiting], []
            self._waiting.clear()
        for row in lost:
            row.settle(LanguageModelUnavailable(reason))


def _sampled(logits: Tensor, temperature: float, generator: torch.Generator | None) -> int:
    return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator))


def _canary_ids(spec: LanguageModelSpec, tokenizer: Tokenizer) -> list[int]:
    text = f"{spec.chat.before_system}{spec.chat.before_user}{CANARY}{spec.chat.before_answer}"
    return PromptEncoder(tokenizer).encode_text(text, trusted=True)
