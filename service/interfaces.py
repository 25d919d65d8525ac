"""The seams of the service. An adapter need not inherit; contract tests run over every one of them.

| Protocol | adapters |
| --- | --- |
| Retriever | faiss, exact (numpy) |
| TokenCache | Redis, memory |
| RateLimiter | Redis, memory |
| ExplanationCache | Redis, memory |
| FeedbackLog | Redis, memory |
| LanguageModel | vLLM over HTTP, transformers in process |
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model_store.types import BehaviorTokens, UserId
from service.explanation import KeptText
from service.feedback_types import FeedbackEvent, Served
from service.types import Candidates, Generation, Part

TextStream = AsyncGenerator[str | Generation, None]
"""Pieces of text, then one Generation."""


class Retriever(Protocol):
    """Nearest items by inner product."""

    def retrieve(
        self,
        vector: NDArray[np.float32],
        k: int,
        exclude_rows: NDArray[np.integer],
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        """The k best items that are allowed and not excluded, best first; fewer when the catalogue runs out.

        Shapes: vector (dim,), exclude_rows (n,) catalogue rows in any order, allowed (num_items,); None allows all.
        """
        ...

    def retrieve_many(
        self,
        vectors: NDArray[np.float32],
        ks: Sequence[int],
        exclude_rows: Sequence[NDArray[np.integer]],
        allowed: NDArray[np.bool_] | None = None,
    ) -> list[Candidates]:
        """What `retrieve` answers for each vector, in order; cheaper than one by one where the index allows it.

        Shapes: vectors (batch, dim); ks and exclude_rows have one entry for each; `allowed` holds for all of them.
        """
        ...


class TokenCache(Protocol):
    """Behaviour tokens by outside user id. A cache that is down answers None: it never raises into a request."""

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        """The user's tokens, or None when they are not held (or cannot be reached)."""
        ...

    async def get_many(self, user_ids: Sequence[UserId]) -> list[BehaviorTokens | None]:
        """What `get` answers for each user, in order, in one round trip."""
        ...

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        """Keep the user's tokens, where possible. Does not wait for a server; a `get` that follows sees them."""
        ...

    async def check(self) -> Part:
        """Whether the cache answers now."""
        ...

    async def close(self) -> None:
        """Give back connections. Calling it twice is no error."""
        ...


class RateLimiter(Protocol):
    """How often each caller may ask. One that is down lets everything pass: it never raises into a request."""

    async def wait_s(self, caller: str) -> float:
        """0 when the caller may ask now, which is counted; else the seconds until it may."""
        ...

    async def close(self) -> None:
        """Give back connections. Calling it twice is no error."""
        ...


class ExplanationCache(Protocol):
    """Texts by what they were written from, and whole answers with their evidence, ready to be sent again.

    A cache that is down answers None: it never raises into a request.
    """

    async def get(self, key: str) -> KeptText | None:
        """The text, or None when it is not held, has grown old or cannot be reached."""
        ...

    async def put(self, key: str, text: KeptText) -> None:
        """Keep the text, where possible. Does not wait for a server."""
        ...

    def answer(self, key: str) -> Awaitable[bytes | None]:
        """What `put_answer` was given, looked up from now on and not only when it is awaited. Nothing is counted."""
        ...

    async def put_answer(self, key: str, data: bytes) -> None:
        """Keep the bytes for up to an hour, where possible. Does not wait for a server."""
        ...

    async def check(self) -> Part:
        """Whether the cache answers now."""
        ...

    async def close(self) -> None:
        """Give back connections. Calling it twice is no error."""
        ...


class FeedbackLog(Protocol):
    """What was recommended, and what came of it. A log that is down loses nothing that it was told at once."""

    def remember(self, served: Served) -> None:
        """Keep a recommendation, so that feedback can be joined to it. Does not wait for a server."""
        ...

    async def served(self, recommendation_id: str) -> Served | None:
        """The recommendation, or None where it is not (or no longer) known."""
        ...

    async def append(self, events: Sequence[FeedbackEvent]) -> bool:
        """Keep the events; whether they reached what services share (in memory: always)."""
        ...

    def start(self, apply: Callable[[FeedbackEvent], None]) -> None:
        """Hand every event to `apply`, earlier ones and those of other services too; some of them more than once.

        Returns at once; to be called within the event loop.
        """
        ...

    async def close(self) -> None:
        """Stop, and give back connections. Calling it twice is no error."""
        ...


class LanguageModel(Protocol):
    """A frozen LLM that reads embeddings in place of token ids."""

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        """The continuation of one prompt; `temperature` 0 is greedy, and a `seed` fixes what is drawn above it.

        Shapes: prompt_embeds (seq, hidden_size), finite. A caller who is cancelled stops the work in the engine too.
        Raises LanguageModelUnavailable, LanguageModelTimeout, Overloaded.
        """
        ...

    async def generate_many(
        self,
        prompts: Sequence[NDArray[np.float32]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> list[Generation]:
        """What `generate` answers for each prompt, in order, computed together: all of them, or the first error."""
        ...

    def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        """What `generate` answers, as it is written: pieces of text, then the Generation whose text they make up.

        No piece ends within a character. Errors as `generate`, before or between pieces; closing stops the work.
        """
        ...

    async def first_token_logprobs(
        self, prompts: Sequence[NDArray[np.float32]], token_ids: Sequence[int]
    ) -> NDArray[np.float32]:
        """How probable each token is as the first after each prompt, asked in one call: natural logarithms.

        No temperature. A server that does not tell all of them tells the lowest value it knows in their place. Errors
        and cancellation as `generate`. Shapes: -> (len(prompts), len(token_ids)) float32, finite.
        """
        ...

    async def check(self) -> None:
        """A canary generation: returns when the model really answers.

        Raises LanguageModelUnavailable when it does not, or answers nonsense.
        """
        ...

    async def close(self) -> None:
        """Stop work under way and give back memory and connections. Calling it twice is no error."""
        ...
