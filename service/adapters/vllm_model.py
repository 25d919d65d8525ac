"""VllmModel: the LanguageModel behind a vLLM server's /v1/completions, which takes `prompt_embeds`.

What is known of that server decides this code (numbers: threads in vllm-project/vllm). One non-finite value makes all
later answers empty while /health says 200: so health is a canary generation, and an empty answer calls for one. Wrong
shapes may crash it (#17607): so they are refused here. Penalties with embeddings may kill it (#57719): none are sent.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from numpy.typing import NDArray

from model_store.language_model_spec import LanguageModelSpec
from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.prompt_embeds import WireDtype, check_prompt_embeds, to_wire
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.types import Generation

COMPLETIONS: Final = "/v1/completions"
CANARY: Final = "Name a colour."
PARITY_TOKENS: Final = 8
CONNECTIONS: Final = 64
TOO_MANY_REQUESTS: Final = 429
UNKNOWN_FORM: Final = "it answered in a form that is not known"


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
        self, prompt_embeds: NDArray[np.float32], *, max_tokens: int, temperature: float = 0.0
    ) -> Generation:
        return (await self.generate_many([prompt_embeds], max_tokens=max_tokens, temperature=temperature))[0]

    async def generate_many(
        self, prompts: Sequence[NDArray[np.float32]], *, max_tokens: int, temperature: float = 0.0
    ) -> list[Generation]:
        """One answer for each prompt, in order, from one call; errors as LanguageModel.generate."""
        for prompt_embeds in prompts:
            check_prompt_embeds(prompt_embeds, self._spec.hidden_size)
        wire = [to_wire(prompt_embeds, self._wire_dtype) for prompt_embeds in prompts]
        choices = await self._complete({"prompt_embeds": wire}, len(prompts), max_tokens, temperature)
        answers = [self._generation(choice, len(embeds)) for choice, embeds in zip(choices, prompts, strict=True)]
        if not all(answer.token_ids for answer in answers):  # a model may end at once; a poisoned engine always does
            await self._answer_canary()
        return answers

    async def check(self) -> None:
        """As LanguageModel.check; the first time, and after every failure, with the parity test before it.

        Parity: greedy tokens after the canary's ids and after the same ids' embeddings must be equal. That finds a
        wrong embedding table, scale, dtype or model on the other side before a user does.
        """
        try:
            from_embeds = await self._answer_canary()
            if not self._in_parity:
                choices = await self._complete({"prompt": self._canary_ids}, 1, PARITY_TOKENS, 0.0)
                from_ids = self._generation(choices[0], len(self._canary_ids))
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
        wire = [to_wire(self._canary_embeds, self._wire_dtype)]
        choices = await self._complete({"prompt_embeds": wire}, 1, PARITY_TOKENS, 0.0)
        answer = self._generation(choices[0], len(self._canary_ids))
        if not answer.token_ids:
            raise LanguageModelUnavailable("it answers with empty texts, as a poisoned engine does")
        return answer

    async def _complete(
        self, prompt: dict[str, object], count: int, max_tokens: int, temperature: float
    ) -> list[dict[str, Any]]:
        body = {
            "model": self._spec.name,
            **prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stop_token_ids": list(self._spec.eos_token_ids),
            "return_token_ids": True,
        }
        choices = _choices(await self._post(body))
        if len(choices) != count:
            raise LanguageModelUnavailable(UNKNOWN_FORM)
        return choices

    async def _post(self, body: dict[str, object]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post(COMPLETIONS, json=body)
        except TimeoutError as error:
            raise LanguageModelTimeout(self._timeout_s) from error
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed
            raise LanguageModelUnavailable("its server cannot be reached") from error
        if response.status_code == TOO_MANY_REQUESTS:
            raise Overloaded("the language model")
        if response.is_error:
            raise LanguageModelUnavailable(f"its server answered with status {response.status_code}")
        return response

    def _generation(self, choice: dict[str, Any], prompt_tokens: int) -> Generation:
        written, reason = choice.get("token_ids"), choice.get("finish_reason")
        if not isinstance(written, list) or reason not in ("stop", "length"):
            raise LanguageModelUnavailable(UNKNOWN_FORM)
        token_ids = list(written)
        if token_ids and token_ids[-1] in self._spec.eos_token_ids:
            token_ids.pop()
        return Generation(str(choice.get("text", "")), tuple(token_ids), reason, prompt_tokens, len(token_ids))


def _choices(response: httpx.Response) -> list[dict[str, Any]]:
    """The answers of a completion, in the order of their prompts."""
    try:
        return sorted(response.json()["choices"], key=lambda choice: int(choice["index"]))
    except (ValueError, KeyError, TypeError) as error:  # no JSON, no object, no list of objects with an index
        raise LanguageModelUnavailable(UNKNOWN_FORM) from error
