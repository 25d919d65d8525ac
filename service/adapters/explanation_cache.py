"""Where texts that passed the grounding check are kept: in this process, or in Redis."""

import asyncio
import time
from collections import OrderedDict
from typing import Any, Final, TypeVar, get_args

import orjson

from service.adapters.redis_table import RedisTable
from service.explanation import KeptText
from service.telemetry import Telemetry
from service.types import FinishReason, Part

V = TypeVar("V")

_ANSWER_TTL_S: Final = 3_600
"""An answer is several times as long as its text, and worth its room only while it is asked for again and again."""


class MemoryExplanationCache:
    """Texts and answers in tables of this process; the least recently asked leave first."""

    def __init__(self, *, max_texts: int, ttl_s: int, telemetry: Telemetry) -> None:
        self._max_texts = max_texts
        self._ttl_s = ttl_s
        self._telemetry = telemetry
        self._texts: OrderedDict[str, tuple[float, KeptText]] = OrderedDict()
        self._answers: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        telemetry.set_part_up("explanation_cache", True)

    async def get(self, key: str) -> KeptText | None:
        text = _fresh(self._texts, key)
        self._telemetry.count_lookup("explanations", "miss" if text is None else "hit")
        return text

    async def put(self, key: str, text: KeptText) -> None:
        self._keep(self._texts, key, text, self._ttl_s)

    def answer(self, key: str) -> asyncio.Future[bytes | None]:
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        found.set_result(_fresh(self._answers, key))
        return found

    async def put_answer(self, key: str, data: bytes) -> None:
        self._keep(self._answers, key, data, min(self._ttl_s, _ANSWER_TTL_S))

    def _keep(self, table: OrderedDict[str, tuple[float, V]], key: str, value: V, ttl_s: int) -> None:
        table[key] = (time.monotonic() + ttl_s, value)
        table.move_to_end(key)
        if len(table) > self._max_texts:
            table.popitem(last=False)

    async def check(self) -> Part:
        return Part("ok", "in memory")

    async def close(self) -> None:
        self._texts.clear()
        self._answers.clear()


class RedisExplanationCache:
    """Texts in Redis under `beat:{version}:e:{key}`, as JSON arrays of text and finish reason; answers under `:a:`."""

    def __init__(
        self, url: str, *, version: str, ttl_s: int, pool_size: int, timeout_s: float, telemetry: Telemetry
    ) -> None:
        self._prefix = f"beat:{version}:e:"
        self._answer_prefix = f"beat:{version}:a:"
        self._answer_ttl_s = min(ttl_s, _ANSWER_TTL_S)
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

    def answer(self, key: str) -> asyncio.Future[bytes | None]:
        return self._table.ask(f"{self._answer_prefix}{key}")

    async def put_answer(self, key: str, data: bytes) -> None:
        self._table.put(f"{self._answer_prefix}{key}", data, ttl_s=self._answer_ttl_s)

    async def check(self) -> Part:
        return await self._table.check()

    async def close(self) -> None:
        await self._table.close()


def _fresh(table: OrderedDict[str, tuple[float, V]], key: str) -> V | None:
    """The value, unless it has grown old; it is now the most recently asked."""
    found = table.get(key)
    if found is None or found[0] < time.monotonic():
        table.pop(key, None)
        return None
    table.move_to_end(key)
    return found[1]


def _kept_text(data: bytes) -> KeptText:
    """The text of its JSON. ValueError for anything else."""
    found: Any = orjson.loads(data)
    match found:
        case [str(text), str(reason)] if text and reason in get_args(FinishReason):
            return KeptText(text, reason)  # type: ignore[arg-type]  # checked above
    raise ValueError("no kept text")
