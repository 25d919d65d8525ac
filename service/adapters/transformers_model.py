"""TransformersModel: the LanguageModel in this process, for machines without a vLLM server.

Prompts become rows of a DecodingWorker, whose thread writes to all of them side by side.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store.language_model_spec import LanguageModelSpec
from model_store.prompt import PromptEncoder, open_tokenizer
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.decoder import Decoder
from service.adapters.decoding_worker import DecodingWorker
from service.adapters.judgement import Judgement
from service.adapters.prompt_embeds import check_prompt_embeds
from service.adapters.prompt_row import PromptRow
from service.errors import LanguageModelTimeout, LanguageModelUnavailable
from service.interfaces import TextStream
from service.telemetry import Telemetry
from service.types import Generation

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
        beginning: NDArray[np.float32] | None = None,
    ) -> None:
        """Loads the model: seconds, so not on the event loop. `timeout_s` counts waiting and decoding together.

        `beginning`, (length, hidden_size), is what most prompts begin with: read once, now.

        OSError or ValueError where the folder holds no model that transformers can load.
        """
        self._spec, self._timeout_s = spec, timeout_s
        tokenizer = open_tokenizer(folder)
        self._canary_ids = _canary_ids(spec, tokenizer)
        self._canary = TokenEmbeddings.open(folder, scale=spec.embedding_scale).rows(self._canary_ids)
        self._in_parity = False
        capacity = min(spec.context_length, CONTEXT)
        self._worker = DecodingWorker(
            partial(Decoder.open, folder, dtype=DTYPES[dtype], slots=max_batch, capacity=capacity, beginning=beginning),
            tokenizer=tokenizer,
            eos_token_ids=spec.eos_token_ids,
            max_waiting=max_waiting,
            telemetry=telemetry or Telemetry(),
        )

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        row = self._row(prompt_embeds, max_tokens, temperature, seed)
        self._worker.submit([row])
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
        self._worker.submit(rows)
        return await self._answers(rows)

    async def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()  # None: the answer is settled
        row = self._row(prompt_embeds, max_tokens, temperature, seed, on_text=pieces.put_nowait)
        row.answer.add_done_callback(lambda _: pieces.put_nowait(None))
        self._worker.submit([row])
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            while (piece := await self._until(deadline, pieces.get())) is not None:
                yield piece
            yield await row.answer
        finally:
            row.answer.cancel()  # without effect on a settled one; else the worker drops the row at the next token

    async def first_token_logprobs(
        self, prompts: Sequence[NDArray[np.float32]], token_ids: Sequence[int]
    ) -> NDArray[np.float32]:
        """As LanguageModel.first_token_logprobs: all prompts in one batch, without a slot.

        They count as waiting like everybody's, and what a caller who leaves still waits for is never computed.
        """
        for prompt_embeds in prompts:
            self._room_after(prompt_embeds)
        if not prompts:
            return np.zeros((0, len(token_ids)), np.float32)
        answer: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        self._worker.judge(Judgement(prompts, list(token_ids), answer))
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        return await self._until(deadline, answer)  # which cancels it when time is up or the caller leaves

    async def check(self) -> None:
        """As LanguageModel.check; the first time with the parity test.

        Parity: after the model's own embeddings of the canary's ids it must write what it writes after ours.
        A model at work on real prompts proves itself: no canary is put before them.
        """
        if not self._worker.lives:
            raise LanguageModelUnavailable("it has been closed")
        if self._in_parity and self._worker.busy:
            return
        written = (await self.generate(self._canary, max_tokens=CANARY_TOKENS)).token_ids
        if not written:
            raise LanguageModelUnavailable("its canary generation came back empty")
        if not self._in_parity:
            of_ids = await self.generate(self._worker.decoder.embeddings_of(self._canary_ids), max_tokens=CANARY_TOKENS)
            if of_ids.token_ids != written:
                raise LanguageModelUnavailable("its answers to token ids and to their embeddings differ")
            self._in_parity = True

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.close)

    def _row(
        self,
        prompt_embeds: NDArray[np.float32],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> PromptRow:
        room = self._room_after(prompt_embeds)
        generator = None if seed is None else torch.Generator(self._worker.decoder.device).manual_seed(seed)
        answer: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        tokens = max(1, min(max_tokens, room))
        return PromptRow(prompt_embeds, tokens, temperature, generator, answer, on_text)

    def _room_after(self, prompt_embeds: NDArray[np.float32]) -> int:
        """Positions left for an answer. ValueError where there is none, or the tensor is not fit to be read."""
        check_prompt_embeds(prompt_embeds, self._spec.hidden_size)
        capacity = self._worker.decoder.capacity
        if len(prompt_embeds) >= capacity:
            raise ValueError(f"prompt of {len(prompt_embeds)} positions; at most {capacity - 1} fit")
        return capacity - len(prompt_embeds)

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


def _canary_ids(spec: LanguageModelSpec, tokenizer: Tokenizer) -> list[int]:
    text = f"{spec.chat.before_system}{spec.chat.before_user}{CANARY}{spec.chat.before_answer}"
    return PromptEncoder(tokenizer).encode_text(text, trusted=True)
