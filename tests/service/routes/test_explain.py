"""POST /explain over real sockets: events as they come, and clients who leave."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from service.errors import Overloaded
from service.schemas.explain import ExplainResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, unseen_rows
from tests.fakes import FakeLanguageModel
from tests.service.conftest import listening
from tests.service.server_events import ServerEvent, events_of

BODY = {"user_id": USER_IDS[3], "item_id": ITEM_IDS[unseen_rows(3)[0]]}
STREAM = BODY | {"stream": True}


@pytest.fixture
def model() -> FakeLanguageModel:
    return FakeLanguageModel()


@pytest.fixture
async def client(store, model):
    async with listening(Settings(store=store), lambda: model) as made:
        yield made


async def _events(client: httpx.AsyncClient, **changes: object) -> list[ServerEvent]:
    async with client.stream("POST", "/explain", json=STREAM | changes) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event async for event in events_of(answer)]


async def _read(client: httpx.AsyncClient, body: dict[str, object]) -> bytes:
    async with client.stream("POST", "/explain", json=body) as answer:
        return await answer.aread()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_stream_tells_evidence_then_text_then_the_rest(client, model):
    """Together the events are the answer that is given without a stream."""
    first, *deltas, last = await _events(client)
    assert (first.name, last.name) == ("evidence", "done")
    assert {delta.name for delta in deltas} == {"delta"}
    assert "".join(delta.data["text"] for delta in deltas) == model.text == last.data["text"]
    whole = (await client.post("/explain", json=BODY)).json()
    told = first.data | last.data
    assert ExplainResponse.model_validate(told).model_dump() == told
    assert told.keys() == whole.keys()
    assert (told["source"], whole["source"]) == ("llm", "cache")
    assert "evidence" not in last.data


async def test_evidence_comes_at_once_and_text_as_it_is_written(client, model):
    """Seven words of a fifth of a second each: the evidence waits for none of them, the first word not for the last."""
    model.word_s = 0.2
    at: dict[str, float] = {}
    started = time.perf_counter()
    async with client.stream("POST", "/explain", json=STREAM) as answer:
        async for event in events_of(answer):
            at.setdefault(event.name, time.perf_counter() - started)
    assert at["evidence"] < 0.2
    assert at["delta"] < at["done"] - 0.8


async def test_a_refused_text_is_replaced_in_the_stream(client, model):
    """What was told is taken back, and the template stands in its place."""
    model.text = "It is as good as Red Tale 2."
    *_, replaced, last = await _events(client)
    assert (replaced.name, replaced.data["source"], last.data["source"]) == ("replace", "template", "template")
    assert replaced.data["text"] == last.data["text"]
    assert last.data["fallback"].startswith("other_title")


async def test_what_is_known_is_streamed_too(client, model):
    """From the cache: one piece, the whole text. So are texts of the template."""
    await client.post("/explain", json=BODY)
    _, piece, last = await _events(client)
    assert (piece.data["text"], last.data["source"]) == (model.text, "cache")


async def test_a_deadline_within_a_stream_ends_it_with_the_template(client, model):
    """Two words were told when the time was over."""
    model.word_s = 0.2
    *told, replaced, last = await _events(client, deadline_ms=500)
    assert 1 <= len(told) - 1 <= 3
    assert replaced.data["source"] == "template"
    assert last.data["fallback"].startswith("deadline")
    await _until(lambda: model.left == 1)


async def test_a_failure_before_any_text_is_an_event(client, model):
    """The engine's own queue was full: known only once the stream had begun."""
    model.fault = Overloaded("the queue", 3)
    *_, last = await _events(client)
    assert (last.name, last.data["status"]) == ("error", 429)


@pytest.mark.parametrize(
    "change",
    [
        {"item_ids": [ITEM_IDS[0]], "item_id": None},
        {"item_ids": [ITEM_IDS[0]]},
        {"user_id": None},
        {"deadline_ms": 0},
        {"seed": -1},
    ],
)
async def test_questions_that_are_none_are_422(client, change):
    """Several items in a stream, one and several, nobody, no time."""
    assert (await client.post("/explain", json=STREAM | change)).status_code == 422


@pytest.mark.parametrize("body", [BODY, STREAM])
async def test_a_client_who_leaves_ends_the_generation(client, model, body):
    """Streamed or not: the engine notices within moments, and the next question is answered."""
    model.word_s = 30.0
    leaving = asyncio.create_task(_read(client, body))
    await _until(lambda: len(model.prompts) == 1)
    leaving.cancel()
    await _until(lambda: model.left == 1)
    model.word_s = 0.0
    assert (await client.post("/explain", json=BODY)).json()["source"] == "llm"


async def test_a_client_who_leaves_takes_nobody_along(client, model):
    """Fifty ask the same, streamed and not; the first, who began the generation, leaves: one generation, 49 answers."""
    model.go_on.clear()
    leaving = asyncio.create_task(client.post("/explain", json=BODY))
    await _until(lambda: len(model.prompts) == 1)
    whole = [asyncio.create_task(client.post("/explain", json=BODY)) for _ in range(24)]
    streamed = [asyncio.create_task(_events(client)) for _ in range(25)]
    async with asyncio.timeout(20):
        while "beat_requests_in_flight 51.0" not in (await client.get("/metrics")).text:  # itself among them
            await asyncio.sleep(0.05)
    leaving.cancel()
    await asyncio.sleep(0.2)
    model.go_on.set()
    answers = [answer.json()["text"] for answer in await asyncio.gather(*whole)]
    answers += [events[-1].data["text"] for events in await asyncio.gather(*streamed)]
    assert answers == [model.text] * 49
    assert (len(model.prompts), model.left) == (1, 0)
