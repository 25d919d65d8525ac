"""Single flight: one making for many callers, which lives as long as one of them waits."""

import asyncio
from collections.abc import Sequence

import pytest

from service.flights import Flight, Flights


class _Kitchen:
    """Makes "<key> done" in three pieces, slowly; knows how often it was asked and cancelled."""

    def __init__(self) -> None:
        self.flights: Flights[str] = Flights()
        self.made: list[str] = []
        self.cancelled = 0
        self.pause_s = 0.01

    async def make(self, flights: Sequence[Flight[str]]) -> None:
        self.made += [str(flight.key) for flight in flights]
        try:
            for piece in ("a", "b", "c"):
                await asyncio.sleep(self.pause_s)
                for flight in flights:
                    flight.tell(piece)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for flight in flights:
            flight.land(f"{flight.key} done")

    async def ask(self, *keys: str) -> list[str]:
        flights = [self.flights.find(key) for key in keys]
        new = [key for key, flight in zip(keys, flights, strict=True) if flight is None]
        started = iter(self.flights.start(new, self.make) if new else [])
        boarded = [flight or next(started) for flight in flights]
        with self.flights.boarded(boarded):
            return [await flight.arrival() for flight in boarded]


@pytest.fixture
def kitchen() -> _Kitchen:
    return _Kitchen()


async def test_fifty_callers_share_one_making(kitchen):
    """All get the value; it was made once; afterwards it is made anew."""
    answers = await asyncio.gather(*(kitchen.ask("soup") for _ in range(50)))
    assert answers == [["soup done"]] * 50
    assert kitchen.made == ["soup"]
    await kitchen.ask("soup")
    assert kitchen.made == ["soup"] * 2


async def test_a_caller_who_leaves_takes_nobody_along(kitchen):
    """The one who started it leaves first."""
    leaving = asyncio.create_task(kitchen.ask("soup"))
    staying = asyncio.create_task(kitchen.ask("soup"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ["soup done"]
    assert kitchen.cancelled == 0


async def test_the_last_to_leave_ends_the_making(kitchen):
    """It is cancelled, and who comes now gets a new one."""
    kitchen.pause_s = 60.0
    callers = [asyncio.create_task(kitchen.ask("soup")) for _ in range(3)]
    await asyncio.sleep(0.01)
    for caller in callers:
        assert kitchen.cancelled == 0
        caller.cancel()
        await asyncio.wait({caller})
    kitchen.pause_s = 0.0
    assert await kitchen.ask("soup") == ["soup done"]
    assert (kitchen.cancelled, kitchen.made) == (1, ["soup"] * 2)


async def test_a_making_of_several_goes_on_while_one_of_them_is_waited_for(kitchen):
    """Two dishes of one order; somebody else waits for the second; who ordered leaves."""
    ordering = asyncio.create_task(kitchen.ask("soup", "bread"))
    await asyncio.sleep(0)
    other = asyncio.create_task(kitchen.ask("bread"))
    await asyncio.sleep(0)
    ordering.cancel()
    assert await other == ["bread done"]
    assert (kitchen.made, kitchen.cancelled) == (["soup", "bread"], 0)


async def test_a_failure_reaches_everybody(kitchen):
    """And the next caller starts anew."""

    async def burn(_: Sequence[Flight[str]]) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("burnt")

    (flight,) = kitchen.flights.start(["soup"], burn)
    with kitchen.flights.boarded([flight, flight]):
        outcomes = await asyncio.gather(flight.arrival(), flight.arrival(), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["burnt"] * 2
    assert await kitchen.ask("soup") == ["soup done"]


async def test_pieces_are_told_to_whoever_comes_whenever(kitchen):
    """From the beginning to one who comes late, and none is lost or told twice."""
    (flight,) = kitchen.flights.start(["soup"], kitchen.make)

    async def follow(after_s: float) -> list[str]:
        await asyncio.sleep(after_s)
        return [piece async for piece in flight.pieces()]

    with kitchen.flights.boarded([flight]):
        assert await asyncio.gather(*(follow(0.005 * place) for place in range(12))) == [["a", "b", "c"]] * 12
