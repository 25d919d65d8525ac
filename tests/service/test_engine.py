"""The language model while it starts, fails and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from service.engine import Engine
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, NotReady, Overloaded
from service.telemetry import Telemetry
from service.types import Generation
from tests.fakes import FakeLanguageModel

PROMPT = np.zeros((3, 4), np.float32)
FAULT = LanguageModelUnavailable("it is gone")


@pytest.fixture
def model() -> FakeLanguageModel:
    return FakeLanguageModel("Because.")


@pytest.fixture
async def engine(model: FakeLanguageModel) -> AsyncIterator[Engine]:
    made = Engine(lambda: model, check_interval_s=0.02, telemetry=Telemetry())
    yield made
    await made.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_refuses_until_it_has_loaded(engine):
    """Before loading it is not ready; afterwards it answers."""
    with pytest.raises(NotReady):
        await engine.generate(PROMPT, max_tokens=5)
    engine.start()
    assert engine.part.state == "starting"
    await _until(lambda: engine.part.state == "ok")
    assert (await engine.generate(PROMPT, max_tokens=5)).text == "Because."


async def test_a_failed_generation_closes_the_door_until_a_check_succeeds(engine, model):
    """The failure reaches its caller; the next requests are refused without touching the model; then it recovers."""
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    model.fault = FAULT
    with pytest.raises(LanguageModelUnavailable, match="it is gone"):
        await engine.generate(PROMPT, max_tokens=5)
    assert engine.part.state == "down"
    with pytest.raises(LanguageModelUnavailable, match="it is gone"):
        await engine.generate(PROMPT, max_tokens=5)
    model.fault = None
    await _until(lambda: engine.part.state == "ok")
    assert (await engine.generate(PROMPT, max_tokens=5)).text == "Because."


async def test_a_canary_finds_a_model_that_went_bad_between_requests(engine, model):
    """Nobody has to ask for an explanation first."""
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    model.fault = FAULT
    await _until(lambda: engine.part.state == "down")
    assert engine.part.detail == "it is gone"


async def test_a_timeout_does_not_close_the_door(model):
    """Slow is not down: the next request may try."""
    patient = Engine(lambda: model, check_interval_s=60, telemetry=Telemetry())
    patient.start()
    await _until(lambda: patient.part.state == "ok")
    model.fault = LanguageModelTimeout(1.0)
    with pytest.raises(LanguageModelTimeout):
        await patient.generate(PROMPT, max_tokens=5)
    assert patient.part.state == "ok"
    await patient.close()


async def test_a_model_that_hangs_is_found_by_its_canary(model):
    """It takes questions and answers none: down within the check's deadline, up again once it answers."""
    engine = Engine(lambda: model, check_interval_s=0.02, check_timeout_s=0.05, telemetry=Telemetry())
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    model.check_s = 60.0
    await _until(lambda: engine.part.state == "down")
    assert "0.05 s" in engine.part.detail
    model.check_s = 0.0
    await _until(lambda: engine.part.state == "ok")
    await engine.close()


async def test_a_slow_model_at_work_is_not_down(model):
    """The canary waits behind others too long, but those others are answered meanwhile."""
    engine = Engine(lambda: model, check_interval_s=0.02, check_timeout_s=0.2, telemetry=Telemetry())
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    model.check_s = 60.0
    until = time.monotonic() + 0.8
    while time.monotonic() < until:
        await engine.generate(PROMPT, max_tokens=5)  # would raise, were it down
        await asyncio.sleep(0.01)
    await engine.close()


async def test_more_than_it_may_take_is_refused_at_once(model):
    """Three places, of which a list of two takes two; whoever leaves or is answered frees one."""
    engine = Engine(lambda: model, check_interval_s=60, max_prompts=3, telemetry=Telemetry())
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    model.word_s = 60.0
    leaving = asyncio.create_task(engine.generate(PROMPT, max_tokens=5))
    staying = asyncio.create_task(engine.generate_many([PROMPT, PROMPT], max_tokens=5))
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded) as caught:
        engine.refuse_unless_open()
    assert caught.value.retry_after_s
    with pytest.raises(Overloaded):
        await anext(engine.stream(PROMPT, max_tokens=5))
    leaving.cancel()
    await asyncio.wait({leaving})
    engine.refuse_unless_open()
    with pytest.raises(Overloaded):
        engine.refuse_unless_open(2)
    staying.cancel()
    await engine.close()


async def test_a_stream_read_to_its_closing_generation_has_been_answered(model):
    """Its reader may leave with that in hand; one that leaves before has cancelled."""
    telemetry = Telemetry()
    engine = Engine(lambda: model, check_interval_s=60, telemetry=telemetry)
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    for last in (Generation, str):
        stream = engine.stream(PROMPT, max_tokens=5)
        while not isinstance(await anext(stream), last):
            pass
        await stream.aclose()
    await engine.close()
    ended = {
        outcome: telemetry.registry.get_sample_value("beat_engine_generations_total", {"outcome": outcome})
        for outcome in ("ok", "cancelled")
    }
    assert ended == {"ok": 1, "cancelled": 1}


async def test_a_stream_passes_through_and_its_failure_closes_the_door(engine, model):
    """Pieces, then the generation; a fault on the way is told to those who come next."""
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    pieces = [piece async for piece in engine.stream(PROMPT, max_tokens=5)]
    assert (pieces[0], pieces[-1].text) == ("Because.", "Because.")
    model.fault = FAULT
    with pytest.raises(LanguageModelUnavailable):
        await anext(engine.stream(PROMPT, max_tokens=5))
    assert engine.part.state == "down"


async def test_a_model_that_cannot_be_loaded_is_down_and_says_so(caplog):
    """The log has the reason; the state has none that could carry a path or a secret."""

    def broken() -> FakeLanguageModel:
        raise OSError("/secret/weights: no such file")

    engine = Engine(broken, check_interval_s=60, telemetry=Telemetry())
    engine.start()
    await _until(lambda: engine.part.state == "down")
    assert "secret" not in engine.part.detail
    assert "/secret/weights" in caplog.text
    with pytest.raises(LanguageModelUnavailable):
        await engine.generate(PROMPT, max_tokens=5)
    await engine.close()


async def test_closing_closes_the_model(engine, model):
    """What it holds is given back, also when it is closed twice."""
    engine.start()
    await _until(lambda: engine.part.state == "ok")
    await engine.close()
    await engine.close()
    assert model.closed
