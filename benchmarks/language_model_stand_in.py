"""A server in vLLM's form that answers every prompt at once with one sentence: the language model costs nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

TEXT = (
    "You like places where an evening can take its time, and the guests of this one say just that: "
    "good company, short queues and a kitchen that does a few things well."
)


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """POST /v1/completions, whatever is asked."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    prompts = len(json.loads(body).get("prompt_embeds", [None]))
    choice = {"text": TEXT, "token_ids": list(range(100, 140)), "finish_reason": "stop"}
    answer = {"choices": [{"index": index} | choice for index in range(prompts)]}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False, lifespan="off")
