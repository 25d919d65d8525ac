"""Where texts that passed the grounding check are kept: in this process, or in Redis."""

import time
from collections import OrderedDict
from typing import Any, get_args

import orjson

from service.adapters.redis_table import RedisTable
from service.explanation import KeptText
from service.telemetry import Telemetry
from service.types import FinishReason, Part


class MemoryExplanationCache:
    """Texts in a table of this process; the least recently asked leave first."""

    def __init__(self, *, max_texts: int, ttl_s: int, telemetry: Telemetry) -> None:
        self._max_texts = max_texts
        self._ttl_s = ttl_s
        self._telemetry = telemetry
        self._texts: OrderedDict[str, tuple[float, KeptText]] = OrderedDict()
        telemetry.set_part_up("explanation_cache", True)

    async def get(self, key: str) -> KeptText | None:
        expires, text = self._texts.get(key, (0.0, None))
        if expires < time.monotonic():
            self._texts.pop(key, None)
            text = None
        else:
            self._texts.move_to_end(key)
        self._telemetry.count_lookup("explanations", "miss" if text is None else "hit")
        return text

    async def put(self, key: str, text: KeptText) -> None:
        self._texts[key] = (time.monotonic() + self._ttl_s, text)
        self._texts.move_to_end(key)
        if len(self._texts) > self._max_texts:
            self._texts.popitem(last=False)

    async def check(self) -> Part:
        return Part("ok", "in memory")

    async def close(self) -> None:
        self._texts.clear()


class RedisExplanationCache:
    """Texts in Redis under `beat:{version}:e:{key}`, as JSON arrays of text and finish reason."""

    def __init__(
        self, url: str, *, version: str, ttl_s: int, pool_size: int, timeout_s: float, telemetry: Telemetry
    ) -> None:
        self._prefix = f"beat:{version}:e:"
        self._table = RedisTable(
            url,
            use="explanations",
            decode=_kept_text,
            ttl_s=ttl_s,
            pool_size=pool_size,
            timeout_s=timeout_s,
            telemetry=telemetry,
        )

    async def get(self, key: str) -> KeptText | None:
        return await self._table.get(f"{self._prefix}{key}")

    async def put(self, key: str, text: KeptText) -> None:
        self._table.put(f"{self._prefix}{key}", orjson.dumps([text.text, text.finish_reason]))

    async def check(self) -> Part:
        return await self._table.check()

    async def close(self) -> None:
        await self._table.close()


def _kept_text(data: bytes) -> KeptText:
    """The text of its JSON. ValueError for anything else."""
    found: Any = orjson.loads(data)
    match found:
        case [str(text), str(reason)] if text and reason in get_args(FinishReason):
            return KeptText(text, reason)  # type: ignore[arg-type]  # checked above
    raise ValueError("no kept text")
