"""explain: N of POST /recommend: the first items come with what /explain says of them."""

import asyncio
from typing import Any

import pytest

from service.errors import LanguageModelUnavailable, Overloaded
from service.schemas.recommend import RecommendResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, history_rows
from tests.fakes import FakeLanguageModel
from tests.service.conftest import RunningApp, listening, running

USER_ID = USER_IDS[0]


async def _recommend(service: RunningApp, **body: Any) -> dict[str, Any]:
    answer = await service.client.post("/recommend", json={"user_id": USER_ID, "k": 4, **body})
    assert answer.status_code == 200, answer.text
    assert RecommendResponse.model_validate(answer.json()).model_dump() == answer.json()
    return dict(answer.json())


def _sources(answer: dict[str, Any]) -> list[str | None]:
    return [item["explanation"] and item["explanation"]["source"] for item in answer["items"]]


async def _until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_first_items_are_explained_as_explain_does(service):
    """Text, evidence and usage are those of /explain, which then finds both texts in the cache."""
    answer = await _recommend(service, explain=2)
    assert _sources(answer) == ["llm", "llm", None, None]
    for item in answer["items"][:2]:
        body = {"user_id": USER_ID, "item_id": item["item_id"]}
        asked = (await service.client.post("/explain", json=body)).json()
        assert asked["source"] == "cache"
        told = item["explanation"]
        assert (told["text"], told["evidence"], told["fallback"]) == (asked["text"], asked["evidence"], None)
        assert told["usage"]["completion_tokens"] == len(service.model.text.split())
        assert set(told["timings_ms"]) == set(asked["timings_ms"])
        assert told["timings_ms"]["total"] <= answer["timings_ms"]["total"]
    assert _sources(await _recommend(service, explain=2)) == ["cache", "cache", None, None]


async def test_nothing_is_explained_unless_asked(service):
    """The default writes nothing; more than there are items explains all of them."""
    assert _sources(await _recommend(service)) == [None] * 4
    assert service.model.prompts == []
    assert _sources(await _recommend(service, k=2, explain=10)) == ["llm", "llm"]


async def test_a_history_is_explained_too(service):
    """An anonymous session, folded in."""
    history = [ITEM_IDS[row] for row in history_rows(1)]
    answer = await _recommend(service, user_id=None, history=history, explain=1)
    (past, *_) = answer["items"][0]["explanation"]["evidence"]["past_items"]
    assert past["item_id"] in history


async def test_popular_items_for_a_stranger_have_no_reason(service):
    """Nothing is known that could speak for them."""
    answer = await _recommend(service, user_id="nobody", explain=3)
    assert answer["fallback"].startswith("popular")
    assert _sources(answer) == [None] * 4


@pytest.mark.parametrize(
    ("fault", "fallback"), [(LanguageModelUnavailable("ill"), "down: "), (Overloaded("the queue"), "overloaded: ")]
)
async def test_trouble_with_the_language_model_is_no_failure(service, fault, fallback):
    """The template speaks, and says why; items are recommended as ever."""
    plain = await _recommend(service)
    service.model.fault = fault
    answer = await _recommend(service, explain=2)
    assert [item["item_id"] for item in answer["items"]] == [item["item_id"] for item in plain["items"]]
    assert _sources(answer) == ["template", "template", None, None]
    assert answer["items"][0]["explanation"]["fallback"].startswith(fallback)


async def test_too_much_to_do_is_no_failure(store):
    """The queue is bounded: beside a question that fills it, the template speaks; kept texts still come."""
    async with running(Settings(store=store, llm_max_prompts=1)) as service:
        assert _sources(await _recommend(service, explain=1)) == ["llm", None, None, None]
        service.model.go_on.clear()
        body = {"user_id": USER_IDS[1], "item_id": ITEM_IDS[1], "deadline_ms": 60_000}
        other = asyncio.create_task(service.client.post("/explain", json=body))
        await _until(lambda: len(service.model.prompts) == 2)
        answer = await _recommend(service, explain=2)
        service.model.go_on.set()
        assert (await other).json()["source"] == "llm"
    assert _sources(answer) == ["cache", "template", None, None]
    assert answer["items"][1]["explanation"]["fallback"].startswith("overloaded: ")


async def test_the_deadline_holds_for_the_whole_answer(service):
    """A language model that never answers: half of the time for the order, the rest for words, then both without."""
    service.model.go_on.clear()
    answer = await _recommend(service, rerank="llm", explain=2, deadline_ms=200)
    assert answer["fallback"] == "no_rerank: the language model did not judge within 100 ms"
    assert _sources(answer) == ["template", "template", None, None]
    assert answer["items"][0]["explanation"]["fallback"].startswith("deadline: ")
    await _until(lambda: service.metric("beat_engine_generations_in_flight") == 0)


async def test_without_a_language_model_the_template_explains(store):
    """As /explain does."""
    async with running(Settings(store=store, llm="none")) as service:
        answer = await _recommend(service, explain=1)
    assert _sources(answer) == ["template", None, None, None]
    assert answer["items"][0]["explanation"]["fallback"].startswith("off: ")


async def test_a_client_who_leaves_ends_the_writing(store):
    """The engine gives up all the texts."""
    model = FakeLanguageModel()
    model.go_on.clear()
    async with listening(Settings(store=store), lambda: model) as client:
        leaving = asyncio.create_task(client.post("/recommend", json={"user_id": USER_ID, "explain": 2}))
        await _until(lambda: len(model.prompts) == 2)
        leaving.cancel()
        await _until(lambda: model.left == 2)


@pytest.mark.parametrize("explain", [-1, 11, 1.0, True])
async def test_what_cannot_be_explained_is_refused(service, explain):
    """0 to 10; and a batch explains nothing."""
    body = {"user_id": USER_ID, "explain": explain}
    assert (await service.client.post("/recommend", json=body)).status_code == 422
    batch = {"user_ids": [USER_ID], "explain": 1}
    assert (await service.client.post("/recommend/batch", json=batch)).status_code == 422
