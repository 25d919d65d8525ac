"""VllmModel: the LanguageModel behind a vLLM server's /v1/completions, which takes `prompt_embeds`.

What is known of that server decides this code (numbers: threads in vllm-project/vllm). One non-finite value makes all
later answers empty while /health says 200: so health is a canary generation, and an empty answer calls for one. Wrong
shapes may crash it (#17607): so they are refused here. Penalties with embeddings may kill it (#57719): none are sent.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray

from model_store.language_model_spec import LanguageModelSpec
from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.completion_stream import UNKNOWN_FORM, CompletionStream, times_of
from service.adapters.first_token import asked_for, logprobs_of
from service.adapters.prompt_embeds import WireDtype, check_prompt_embeds, to_wire
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.interfaces import TextStream
from service.types import Generation, GenerationTimes

COMPLETIONS: Final = "/v1/completions"
CANARY: Final = "Name a colour."
PARITY_TOKENS: Final = 8
CONNECTIONS: Final = 64
TOO_MANY_REQUESTS: Final = 429
_T = TypeVar("_T")


class VllmModel:
    """One vLLM server that serves the artifact's LLM, started with --enable-prompt-embeds."""

    def __init__(
        self,
        url: str,
        folder: Path,
        spec: LanguageModelSpec,
        *,
        wire_dtype: WireDtype = "bfloat16",
        timeout_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`folder` holds the LLM's tokenizer and token embeddings, for the canary. Nothing is sent yet.

        `wire_dtype` halves the traffic or keeps every bit; one server should always be sent the same, because its
        prefix cache compares bytes. `timeout_s` covers one whole answer. `transport` replaces the network.
        """
        self._spec, self._wire_dtype, self._timeout_s = spec, wire_dtype, timeout_s
        chat = spec.chat
        text = f"{chat.before_system}You are brief.{chat.before_user}{CANARY}{chat.before_answer}"
        self._canary_ids = PromptEncoder.open(folder).encode_text(text, trusted=True)
        self._canary_embeds = TokenEmbeddings.open(folder, scale=spec.embedding_scale).rows(self._canary_ids)
        self._in_parity = False
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # The deadline is kept by asyncio.timeout: httpx counts each read anew. A loopback proxy setting is never meant.
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=None,
            limits=limits,
            transport=transport,
            trust_env=False,
        )

    async def generate(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> Generation:
        return (await self.generate_many([prompt_embeds], max_tokens=max_tokens, temperature=temperature, seed=seed))[0]

    async def generate_many(
        self,
        prompts: Sequence[NDArray[np.float32]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> list[Generation]:
        """One answer for each prompt, in order, from one call; errors as LanguageModel.generate."""
        body = self._body({"prompt_embeds": self._wire(prompts)}, max_tokens, temperature, seed)
        answers = await self._complete(body, [len(prompt_embeds) for prompt_embeds in prompts])
        if not all(answer.token_ids for answer in answers):  # a model may end at once; a poisoned engine always does
            await self._answer_canary()
        return answers

    async def stream(
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> TextStream:
        """As LanguageModel.stream. Closing it closes the connection, and the server then gives the prompt up."""
        body = self._body({"prompt_embeds": self._wire([prompt_embeds])}, max_tokens, temperature, seed)
        body |= {"stream": True, "stream_options": {"include_usage": True}}  # the times come with the usage
        stream, started, first = CompletionStream(), time.perf_counter(), None
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        request = self._client.build_request("POST", COMPLETIONS, json=body)
        response = await self._within(deadline, self._client.send(request, stream=True))
        try:
            _refuse_failure(response)
            lines = response.aiter_lines()
            while (line := await self._within(deadline, anext(lines, None))) is not None:
                if text := stream.take(line):
                    first = first or time.perf_counter()
                    yield text
        finally:
            await response.aclose()
        ended = time.perf_counter()
        seen = GenerationTimes(first_token_s=(first or ended) - started, decode_s=ended - (first or ended))
        answer = self._generation(stream.choice, len(prompt_embeds), stream.times or seen)
        if not answer.token_ids:
            await self._answer_canary()
        yield answer

    async def first_token_logprobs(
        self, prompts: Sequence[NDArray[np.float32]], token_ids: Sequence[int]
    ) -> NDArray[np.float32]:
        """As LanguageModel.first_token_logprobs."""
        body = self._body({"prompt_embeds": self._wire(prompts)}, 1) | asked_for(token_ids)
        choices, _ = await self._choices(body, len(prompts))
        return np.stack([logprobs_of(choice, token_ids) for choice in choices])

    async def check(self) -> None:
        """As LanguageModel.check; the first time, and after every failure, with the parity test before it.

        Parity: greedy tokens after the canary's ids and after the same ids' embeddings must be equal. That finds a
        wrong embedding table, scale, dtype or model on the other side before a user does.
        """
        try:
            from_embeds = await self._answer_canary()
            if not self._in_parity:
                body = self._body({"prompt": self._canary_ids}, PARITY_TOKENS)
                (from_ids,) = await self._complete(body, [len(self._canary_ids)])
                if from_ids.token_ids != from_embeds.token_ids:
                    raise LanguageModelUnavailable("its answers to token ids and to their embeddings differ")
            self._in_parity = True
        except (LanguageModelUnavailable, LanguageModelTimeout):
            self._in_parity = False  # what comes back may be another server
            raise
        except Overloaded:
            return  # it answers: others

    async def close(self) -> None:
        await self._client.aclose()

    async def _answer_canary(self) -> Generation:
        body = self._body({"prompt_embeds": self._wire([self._canary_embeds])}, PARITY_TOKENS)
        (answer,) = await self._complete(body, [len(self._canary_ids)])
        if not answer.token_ids:
            raise LanguageModelUnavailable("it answers with empty texts, as a poisoned engine does")
        return answer

    def _wire(self, prompts: Sequence[NDArray[np.float32]]) -> list[str]:
        for prompt_embeds in prompts:
            check_prompt_embeds(prompt_embeds, self._spec.hidden_size)
        return [to_wire(prompt_embeds, self._wire_dtype) for prompt_embeds in prompts]

    def _body(
        self, prompt: dict[str, object], max_tokens: int, temperature: float = 0.0, seed: int | None = None
    ) -> dict[str, object]:
        body = {
            "model": self._spec.name,
            **prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stop_token_ids": list(self._spec.eos_token_ids),
            "return_token_ids": True,
        }
        return body if seed is None else body | {"seed": seed}

    async def _complete(self, body: dict[str, object], prompt_tokens: list[int]) -> list[Generation]:
        """The answers to one call, in the order of its prompts, which have these lengths."""
        choices, times = await self._choices(body, len(prompt_tokens))
        return [self._generation(choice, count, times) for choice, count in zip(choices, prompt_tokens, strict=True)]

    async def _choices(self, body: dict[str, object], count: int) -> tuple[list[dict[str, Any]], GenerationTimes]:
        """What the server answered to each of `count` prompts, in their order, and where the call's time went."""
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        response = await self._within(deadline, self._client.post(COMPLETIONS, json=body))
        _refuse_failure(response)
        seen = GenerationTimes(decode_s=time.perf_counter() - started)
        try:
            found = response.json()
            times = times_of(found) or seen
            choices = sorted(found["choices"], key=lambda choice: int(choice["index"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, no object, no list of objects
            raise LanguageModelUnavailable(UNKNOWN_FORM) from error
        if len(choices) != count:
            raise LanguageModelUnavailable(UNKNOWN_FORM)
        return choices, times

    async def _within(self, deadline: float, work: Awaitable[_T]) -> _T:
        """What the HTTP client gives before the deadline (of the event loop's clock), its failures as ours."""
        try:
            async with asyncio.timeout_at(deadline):
                return await work
        except TimeoutError as error:
            raise LanguageModelTimeout(self._timeout_s) from error
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:  # RuntimeError: the client was closed
            raise LanguageModelUnavailable("its server cannot be reached") from error

    def _generation(self, choice: dict[str, Any], prompt_tokens: int, times: GenerationTimes) -> Generation:
        written, reason = choice.get("token_ids"), choice.get("finish_reason")
        if not isinstance(written, list) or reason not in ("stop", "length"):
            raise LanguageModelUnavailable(UNKNOWN_FORM)
        token_ids = list(written)
        if token_ids and token_ids[-1] in self._spec.eos_token_ids:
            token_ids.pop()
        return Generation(str(choice.get("text", "")), tuple(token_ids), reason, prompt_tokens, len(token_ids), times)


def _refuse_failure(response: httpx.Response) -> None:
    if response.status_code == TOO_MANY_REQUESTS:
        raise Overloaded("the language model")
    if response.is_error:
        raise LanguageModelUnavailable(f"its server answered with status {response.status_code}")
