"""Single flight: what several callers ask for at once is made once, and only while somebody still waits for it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Flight(Generic[V]):
    """One value on its way; text that belongs to it may be told before it arrives."""

    def __init__(self, key: Hashable, crew: "_Crew") -> None:
        self.key = key
        self.crew = crew
        self._arrival: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._pieces: list[str] = []
        self._news = asyncio.Event()

    async def arrival(self) -> V:
        """The value, or what its making raised. A caller who is cancelled cancels nobody else's."""
        return await asyncio.shield(self._arrival)

    async def pieces(self) -> AsyncGenerator[str, None]:
        """All text told on the way, from its beginning, as it comes; ends with the arrival."""
        told = 0
        while True:
            for piece in self._pieces[told:]:
                told += 1
                yield piece
            if self._arrival.done():
                return
            if told == len(self._pieces):  # nothing came while the last piece was taken
                await self._news.wait()

    def tell(self, piece: str) -> None:
        """One more piece of text."""
        self._pieces.append(piece)
        self._wake()

    def land(self, value: V) -> None:
        """It is here."""
        if not self._arrival.done():
            self._arrival.set_result(value)
            self._wake()

    def fail(self, error: BaseException) -> None:
        """It will not come."""
        if not self._arrival.done():
            if isinstance(error, asyncio.CancelledError):
                self._arrival.cancel()
            else:
                self._arrival.set_exception(error)
                self._arrival.exception()  # looked at: nobody may be left to do so
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class _Crew:
    """The one task behind some flights, and how many wait for any of them."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.waiting = 0


class Flights(Generic[V]):
    """Flights under way, by key."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Flight[V]] = {}

    def find(self, key: Hashable) -> Flight[V] | None:
        """The flight of this key, if one is under way."""
        return self._under_way.get(key)

    def start(
        self, keys: Sequence[Hashable], make: Callable[[Sequence[Flight[V]]], Coroutine[Any, Any, None]]
    ) -> list[Flight[V]]:
        """Flights of these keys, none of which is under way: `make` lands them all, in a task of its own.

        Must be boarded before the caller awaits anything.
        """
        crew = _Crew()
        flights = [Flight[V](key, crew) for key in keys]
        self._under_way.update(zip(keys, flights, strict=True))
        crew.task = asyncio.get_running_loop().create_task(make(flights))
        crew.task.add_done_callback(partial(self._over, flights))
        return flights

    @contextmanager
    def boarded(self, flights: Sequence[Flight[V]]) -> Iterator[None]:
        """Within, the caller waits for these flights. The last to leave cancels what nobody waits for."""
        for flight in flights:
            flight.crew.waiting += 1
        try:
            yield
        finally:
            for flight in flights:
                flight.crew.waiting -= 1
                if not flight.crew.waiting:
                    flight.crew.task.cancel()  # without effect on one that has landed all
                    self._forget(flight)  # at once: nobody may board it any more

    def _over(self, flights: Sequence[Flight[V]], task: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        for flight in flights:
            self._forget(flight)
            if error is not None:
                flight.fail(error)

    def _forget(self, flight: Flight[V]) -> None:
        if self._under_way.get(flight.key) is flight:
            del self._under_way[flight.key]
