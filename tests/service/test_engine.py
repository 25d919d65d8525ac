"""The language model while it starts, fails and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from service.engine import Engine
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, NotReady
from service.telemetry import Telemetry
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
