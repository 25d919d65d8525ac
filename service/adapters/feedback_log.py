"""Where recommendations and what came of them are kept: in this process, or in Redis for all services together."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from service.adapters.served_hashes import ServedHashes
from service.feedback_types import FeedbackEvent, FeedbackKind, Served
from service.interfaces import FeedbackLog
from service.settings import MEMORY_CACHE, Settings
from service.telemetry import Telemetry

log = logging.getLogger(__name__)

STREAM: Final = "beat:feedback"
_SERVED_KEPT: Final = 10_000
"""Recommendations that one process remembers."""
_FLUSH_S: Final = 0.25
_REST_S: Final = 1.0
_READ_BLOCK_S: Final = 2.0
_READ_COUNT: Final = 200
"""Entries handed on in one turn of the event loop: about 2 ms."""


def open_log(settings: Settings, telemetry: Telemetry) -> FeedbackLog:
    """The log that the settings ask for."""
    if settings.redis == MEMORY_CACHE:
        return MemoryFeedbackLog(max_events=settings.feedback_events)
    timeout_s = settings.redis_timeout_ms / 1e3
    return RedisFeedbackLog(
        settings.redis, max_events=settings.feedback_events, timeout_s=timeout_s, telemetry=telemetry
    )


class MemoryFeedbackLog:
    """The newest events and recommendations of this process."""

    def __init__(self, *, max_events: int) -> None:
        self.events: deque[FeedbackEvent] = deque(maxlen=max_events)
        self._served: OrderedDict[str, Served] = OrderedDict()

    def remember(self, served: Served) -> None:
        self._served[served.recommendation_id] = served
        if len(self._served) > _SERVED_KEPT:
            self._served.popitem(last=False)

    async def served(self, recommendation_id: str) -> Served | None:
        return self._served.get(recommendation_id)

    async def append(self, events: Sequence[FeedbackEvent]) -> bool:
        self.events.extend(events)
        return True

    def start(self, apply: Callable[[FeedbackEvent], None]) -> None:
        for event in self.events:
            apply(event)

    async def close(self) -> None:
        self.events.clear()


class RedisFeedbackLog:
    """Events in the stream `beat:feedback`, the newest `max_events` of them; recommendations in hashes of half hours.

    Every service follows the stream, so an event counts everywhere within milliseconds. While Redis is down events wait
    here, and recommendations are joined to those of this process alone. No request awaits a command that its client's
    leaving could cut short: a cancelled redis-py command spoils its connection (redis-py #2797).
    """

    def __init__(self, url: str, *, max_events: int, timeout_s: float, telemetry: Telemetry) -> None:
        self._max_events = max_events
        self._telemetry = telemetry
        self._local = MemoryFeedbackLog(max_events=0)
        self._redis = _client(url, timeout_s, timeout_s)
        self._reader = _client(url, timeout_s, timeout_s + _READ_BLOCK_S)
        self._unsent: deque[FeedbackEvent] = deque(maxlen=max_events)
        self._hashes = ServedHashes(self._redis)
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()
        self._down = False
        telemetry.set_part_up("feedback", True)

    def remember(self, served: Served) -> None:
        self._local.remember(served)
        self._hashes.add(served)

    async def served(self, recommendation_id: str) -> Served | None:
        local = await self._local.served(recommendation_id)
        return local or await asyncio.shield(asyncio.create_task(self._look_up(recommendation_id)))

    async def append(self, events: Sequence[FeedbackEvent]) -> bool:
        self._unsent.extend(events)
        return await asyncio.shield(asyncio.create_task(self._send()))

    def start(self, apply: Callable[[FeedbackEvent], None]) -> None:
        self._tasks = [asyncio.create_task(self._follow(apply)), asyncio.create_task(self._flush())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._send()
        await self._redis.aclose()
        await self._reader.aclose()

    async def _send(self) -> bool:
        """All unsent events into the stream, in their order; whether it worked."""
        async with self._sending:
            events, self._unsent = self._unsent, deque(maxlen=self._max_events)
            if not events:
                return True
            pipeline = self._redis.pipeline(transaction=False)
            for event in events:
                fields = {name: str(value) for name, value in vars(event).items() if value is not None}
                pipeline.xadd(STREAM, fields, maxlen=self._max_events, approximate=True)  # type: ignore[arg-type]
            try:
                await pipeline.execute()
            except (RedisError, OSError) as error:
                self._unsent.extendleft(reversed(events))
                self._failed(error)
                return False
            self._recovered()
            return True

    async def _follow(self, apply: Callable[[FeedbackEvent], None]) -> None:
        last = "0"
        while True:
            try:
                found: Any = await self._reader.xread({STREAM: last}, count=_READ_COUNT, block=int(_READ_BLOCK_S * 1e3))
            except (RedisError, OSError) as error:
                self._failed(error)
                await asyncio.sleep(_REST_S)
                continue
            for _, entries in found:
                for entry_id, fields in entries:
                    last = entry_id
                    event = _event(fields)
                    if event is not None:
                        apply(event)

    async def _flush(self) -> None:
        """Now and then: what was recommended meanwhile, and events that Redis did not take when it was down."""
        while True:
            await asyncio.sleep(_REST_S if self._down else _FLUSH_S)
            if self._unsent and not await self._send():
                continue
            try:
                if self._down:
                    await self._redis.ping()
                await self._hashes.save()
            except (RedisError, OSError) as error:
                self._failed(error)
                continue
            self._recovered()

    async def _look_up(self, recommendation_id: str) -> Served | None:
        try:
            return await self._hashes.find(recommendation_id)
        except (RedisError, OSError) as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        self._telemetry.count_redis_failure("feedback")
        if not self._down:
            log.warning("feedback log down, events wait in this process: %s", type(error).__name__)
        self._down = True
        self._telemetry.set_part_up("feedback", False)

    def _recovered(self) -> None:
        if self._down:
            log.info("feedback log answers again")
        self._down = False
        self._telemetry.set_part_up("feedback", True)


def _client(url: str, timeout_s: float, answer_timeout_s: float) -> Redis:
    """A client that tries a new connection once: a restarted Redis is no error."""
    return Redis.from_url(
        url,
        max_connections=4,
        socket_connect_timeout=timeout_s,
        socket_timeout=answer_timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


def _event(fields: Mapping[bytes, bytes]) -> FeedbackEvent | None:
    """The event of a stream entry; None for one that is none of ours."""
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    if texts.get("kind") not in get_args(FeedbackKind) or "item_id" not in texts:
        return None
    known: dict[str, Any] = {name: texts[name] for name in FeedbackEvent.__dataclass_fields__ if name in texts}
    known.pop("rank", None)  # of no use to a fold-in
    return FeedbackEvent(**known)
