"""A small ASGI server that answers /v1/completions in vLLM's form, and fails in vLLM's ways when told to.

Its text follows from the embeddings alone, so the same prompt, sent as ids or as embeddings, gives the same answer.
"""

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import torch

from model_store.prompt import open_tokenizer
from model_store.token_embeddings import TokenEmbeddings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ENDS_AFTER = 12


class VllmStandIn:
    """One server of the LLM in `folder`. What it was asked is in `bodies`; the other attributes make it ill."""

    def __init__(self, folder: Path, eos_token_id: int) -> None:
        self._embeddings, self._tokenizer, self._eos = (
            TokenEmbeddings.open(folder),
            open_tokenizer(folder),
            eos_token_id,
        )
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.delay_s = 0.0
        self.poisoned = False
        self.other_table = False
        self.raw_answer: bytes | None = None
        self.breaks_off_after: int | None = None
        """Chunks of a stream after which the connection ends."""
        self.tells_asked_tokens = True
        """Whether it knows `logprob_token_ids`."""
        self.ends_at_once: int | None = None
        """Length of the prompts to which it answers with nothing, being well."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (scope["method"], scope["path"]) == ("POST", "/v1/completions")
        data, more = b"", True
        while more:
            message = await receive()
            data, more = data + message["body"], message.get("more_body", False)
        body = json.loads(data)
        self.bodies.append(body)
        await asyncio.sleep(self.delay_s)
        if body.get("stream") and self.status == 200 and self.raw_answer is None:
            await self._stream(body, send)
            return
        answer = self.raw_answer if self.raw_answer is not None else json.dumps(self._answer(body)).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    async def _stream(self, body: dict[str, Any], send: Send) -> None:
        """A chunk a token, as vLLM writes them; then usage, then the end, unless it is to break off."""
        choice = self._answer(body)["choices"][0]
        written = choice["token_ids"]
        chunks: list[dict[str, Any]] = []
        told = ""
        for place, token_id in enumerate(written):
            text = self._tokenizer.decode(written[: place + 1], skip_special_tokens=True)
            reason = choice["finish_reason"] if place == len(written) - 1 else None
            chunk = {"index": 0, "text": text[len(told) :], "token_ids": [token_id], "finish_reason": reason}
            chunks.append({"choices": [chunk]})
            told = text
        chunks.append({"choices": [], "usage": {}, "metrics": {"queue_time_ms": 2.0, "time_to_first_token_ms": 30.0}})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in chunks[: self.breaks_off_after]:
            line = f"data: {json.dumps(chunk)}\n\n".encode()
            await send({"type": "http.response.body", "body": line, "more_body": True})
        end = b"" if self.breaks_off_after is not None else b"data: [DONE]\n\n"
        await send({"type": "http.response.body", "body": end})

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts = [_tensor(text) for text in body.get("prompt_embeds", [])]
        if "prompt" in body:
            prompts.append(torch.from_numpy(self._embeddings.rows(body["prompt"])))
        choices = [self._choice(index, embeds, body) for index, embeds in enumerate(prompts)]
        return {"choices": choices[::-1]}  # order is the index's business

    def _choice(self, index: int, embeds: torch.Tensor, body: dict[str, Any]) -> dict[str, Any]:
        seed = int(embeds.double().abs().sum() * 8) + (1 if self.other_table and "prompt" in body else 0)
        written = [97 + (seed + 7 * place) % 26 for place in range(ENDS_AFTER)] + [self._eos]
        if self.poisoned or len(embeds) == self.ends_at_once:
            written = [self._eos]
        written = written[: body["max_tokens"]]
        finish_reason = "stop" if written[-1] == self._eos else "length"
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        choice = {"index": index, "text": text, "token_ids": written, "finish_reason": finish_reason}
        return choice | ({"logprobs": self._logprobs(embeds, body)} if "logprobs" in body else {})

    def _logprobs(self, embeds: torch.Tensor, body: dict[str, Any]) -> dict[str, Any]:
        """Of the first token: the most probable one and those asked for, else the most probable ones, by their ids."""
        table = torch.from_numpy(self._embeddings.rows(range(self._embeddings.vocab_size)))
        logprobs = torch.log_softmax(table @ embeds.mean(0), -1)
        asked = body.get("logprob_token_ids") if self.tells_asked_tokens else None
        told = [int(logprobs.argmax()), *(asked or logprobs.topk(body["logprobs"]).indices.tolist())]
        return {"top_logprobs": [{f"token_id:{token_id}": float(logprobs[token_id]) for token_id in told}]}


def _tensor(text: str) -> torch.Tensor:
    """What vLLM makes of one `prompt_embeds`, with its own checks (vllm/renderers/embed_utils.py)."""
    tensor = torch.load(io.BytesIO(base64.b64decode(text, validate=True)), weights_only=True, map_location="cpu")
    assert isinstance(tensor, torch.Tensor)
    assert tensor.layout == torch.strided
    assert tensor.dim() == 2
    return tensor.float()
