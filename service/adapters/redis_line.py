"""One connection to Redis over which many commands go at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

Command = tuple[str | bytes | int, ...]


def one_new_try() -> Retry:
    """One new try on a fresh connection: a restarted Redis is no error. A timeout is not retried."""
    return Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))


def packed(commands: Sequence[Command]) -> bytes:
    """The commands as they go over the wire; redis-py looks at every word once more before the C library packs it."""
    return b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # the stub has one word


class RedisLine:
    """A connection for one task, which is never cancelled while it waits.

    What redis-py's pipeline does, in a third of the time: that takes its connection out of a pool for every round trip,
    and sets two timers for every command.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._connection: Connection = ConnectionPool.from_url(  # type: ignore[no-untyped-call]
            url, socket_timeout=None, socket_connect_timeout=timeout_s, retry=one_new_try()
        ).make_connection()

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, in order. Raises RedisError or OSError; the first answer that is an error, when all are read."""
        connection = self._connection
        answers: list[Any] = await connection.retry.call_with_retry(
            lambda: self._exchange(commands), lambda _: connection.disconnect()
        )
        return answers

    async def close(self) -> None:
        """Give the connection back."""
        await self._connection.disconnect()

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.send_packed_command(packed(commands))
                answers = [await _answer_of(connection) for _ in commands]
        except TimeoutError:
            await connection.disconnect(nowait=True)  # what comes late would answer another command
            raise
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers


async def _answer_of(connection: Connection) -> Any:
    """The next answer; an error is an answer too, and those behind it must still be read."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
