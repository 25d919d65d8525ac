"""Small stand-ins for the three seams. They obey the same contract tests as the real adapters."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from model_store.types import BehaviorTokens, UserId
from service.errors import ServiceError
from service.interfaces import TextStream
from service.types import Candidates, FinishReason, Generation, GenerationTimes, Part


class FakeLanguageModel:
    """Writes `text` word by word until `max_tokens`; raises `fault` instead while there is one.

    `next_texts` are written before it, one to a prompt; `word_s` is what each word takes, and none is written while
    `go_on` is cleared; `left` counts callers who were cancelled or closed their stream before its end. `likes` says
    how gladly it answers a prompt with the first token asked about; `judged` are the prompts of the last such question.
    """

    def __init__(self, text: str = "Because it is like what you enjoyed.") -> None:
        self.text = text
        self.next_texts: list[str] = []
        self.word_s = 0.0
        self.times = GenerationTimes()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.check_s = 0.0
        self.fault: ServiceError | None = None
        self.prompts: list[NDArray[np.float32]] = []
        self.sampling: list[tuple[float, int | None]] = []
        self.left = 0
        self.likes: Callable[[NDArray[np.float32]], float] = lambda prompt_embeds: float(prompt_embeds.mean())
        self.judged: list[NDArray[np.float32]] = []
        self.closed = False

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        stream = self.stream(prompt_embeds, max_tokens=max_tokens, temperature=temperature, seed=seed)
        *_, generation = [piece async for piece in stream]
        assert isinstance(generation, Generation)
        return generation

    async def generate_many(
        self,
        prompts: Sequence[NDArray[np.float32]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> list[Generation]:
        answers = (self.generate(p, max_tokens=max_tokens, temperature=temperature, seed=seed) for p in prompts)
        return await asyncio.gather(*answers)

    async def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        if self.fault is not None:
            raise self.fault
        self.prompts.append(prompt_embeds)
        self.sampling.append((temperature, seed))
        words = (self.next_texts.pop(0) if self.next_texts else self.text).split()
        written = words[:max_tokens]
        try:
            for place, word in enumerate(written):
                await asyncio.sleep(self.word_s)
                await self.go_on.wait()
                yield f" {word}" if place else word
            finish_reason: FinishReason = "stop" if len(words) <= max_tokens else "length"
            count = len(written)
            token_ids = tuple(range(count))
            yield Generation(" ".join(written), token_ids, finish_reason, len(prompt_embeds), count, self.times)
        except (asyncio.CancelledError, GeneratorExit):
            self.left += 1
            raise

    async def first_token_logprobs(
        self, prompts: Sequence[NDArray[np.float32]], token_ids: Sequence[int]
    ) -> NDArray[np.float32]:
        """The first token asked about is the likelier the more the prompt is liked; the others the less."""
        if self.fault is not None:
            raise self.fault
        self.judged = list(prompts)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        liked = np.array([self.likes(prompt_embeds) for prompt_embeds in prompts])
        logprobs = np.tile(-np.logaddexp(0, liked)[:, None], len(token_ids))
        logprobs[:, 0] = -np.logaddexp(0, -liked)
        return logprobs.astype(np.float32)

    async def check(self) -> None:
        await asyncio.sleep(self.check_s)
        if self.fault is not None:
            raise self.fault

    async def close(self) -> None:
        self.closed = True


class FakeTokenCache:
    """A dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, BehaviorTokens] = {}

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        return self.kept.get(str(user_id))

    async def get_many(self, user_ids: Sequence[UserId]) -> list[BehaviorTokens | None]:
        return [await self.get(user_id) for user_id in user_ids]

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        self.kept[str(user_id)] = tokens

    async def check(self) -> Part:
        return Part("ok", "a dictionary")

    async def close(self) -> None:
        self.kept.clear()


class FakeRetriever:
    """Every item scored and sorted in plain Python."""

    def __init__(self, items: NDArray[np.float32]) -> None:
        self._items = items

    def retrieve(
        self,
        vector: NDArray[np.float32],
        k: int,
        exclude_rows: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        excluded = set(exclude_rows.tolist())
        if allowed is not None:
            excluded |= {row for row, passes in enumerate(allowed) if not passes}
        scored = [(float(item @ vector), row) for row, item in enumerate(self._items) if row not in excluded]
        best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]
        rows, scores = [row for _, row in best], [score for score, _ in best]
        return Candidates(np.array(rows, np.int64), np.array(scores, np.float32))

    def retrieve_many(
        self,
        vectors: NDArray[np.float32],
        ks: Sequence[int],
        exclude_rows: Sequence[NDArray[np.integer]],
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Candidates]:
        return [self.retrieve(*query, allowed) for query in zip(vectors, ks, exclude_rows, strict=True)]
