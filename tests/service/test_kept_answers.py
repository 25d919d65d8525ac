"""Answers that are sent again: the same as when they were made, and only where they would be made again."""

import json

import pytest

from service.adapters.explanation_cache import MemoryExplanationCache
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.service.conftest import running

QUESTION = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}


async def _explain(service, **changes):
    answer = await service.client.post("/explain", json=QUESTION | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _timeless(answer):
    return {name: value for name, value in answer.items() if name not in ("timings_ms", "source", "usage")}


def _searches(service):
    """How often evidence was looked for."""
    return service.metric("beat_stage_duration_seconds_count", stage="retrieval", outcome="ok")


def _answers(service):
    cache = service.components.explanation_cache
    assert isinstance(cache, MemoryExplanationCache)
    return cache._answers


async def test_an_answer_is_sent_again_with_its_evidence(service):
    """Word for word, from the cache, without a look at the evidence; and counted as one."""
    await service.until_explaining()
    first = await _explain(service)
    assert first["source"] == "llm"
    second = await _explain(service)
    assert _searches(service) == 1
    assert _timeless(second) == _timeless(first)
    assert list(second) == list(first)
    assert second["source"] == "cache"
    assert second["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert second["timings_ms"].keys() == first["timings_ms"].keys()
    assert second["timings_ms"]["total"] >= second["timings_ms"]["tokens"] > 0
    assert service.metric("beat_explanations_total", source="cache") == 1
    assert service.metric("beat_cache_lookups_total", cache="explanations", result="hit") == 1


async def test_the_answer_of_a_kept_text_is_kept_too(service):
    """A text written for a stream becomes an answer when it is asked for at once."""
    await service.until_explaining()
    streamed = await service.client.post("/explain", json=QUESTION | {"stream": True})
    assert streamed.status_code == 200
    assert not _answers(service)
    assert (await _explain(service))["source"] == "cache"
    assert len(_answers(service)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"history": [ITEM_IDS[3]]},
        {"tokens_of": USER_IDS[1]},
        {"temperature": 0.5},
        {"user_id": "stranger", "history": [ITEM_IDS[3]]},
        {"item_id": None, "item_ids": [ITEM_IDS[0], ITEM_IDS[1]]},
    ],
)
async def test_what_rests_on_more_than_ids_is_answered_anew(service, changes):
    """Neither kept, nor answered with what was kept for the plain question."""
    await service.until_explaining()
    await _explain(service)
    kept = dict(_answers(service))
    await _explain(service, **changes)
    assert dict(_answers(service)) == kept


@pytest.mark.parametrize(
    "changes", [{"item_id": ITEM_IDS[1]}, {"user_id": USER_IDS[1]}, {"max_tokens": 9}, {"seed": 3}]
)
async def test_another_question_has_another_answer(service, changes):
    """Item, user and sampling are all part of the question."""
    await service.until_explaining()
    await _explain(service)
    assert (await _explain(service, **changes))["source"] == "llm"
    assert len(_answers(service)) == 2


async def test_a_user_who_did_something_since_is_answered_anew(service):
    """Feedback changes history and tokens: what was kept is not for this user any more."""
    await service.until_explaining()
    first = await _explain(service)
    event = {"kind": "like", "user_id": USER_IDS[0], "item_id": ITEM_IDS[3]}
    assert (await service.client.post("/feedback", json={"events": [event]})).status_code == 202
    second = await _explain(service)
    assert second["evidence"] != first["evidence"]
    assert len(_answers(service)) == 1


async def test_other_tokens_in_the_cache_make_another_answer(service):
    """Another writer gave the user other codes: the kept answer was made for the former ones."""
    await service.until_explaining()
    first = await _explain(service)
    other = await service.components.token_cache.get(USER_IDS[1])
    if other is None:
        await service.client.get(f"/users/{USER_IDS[1]}/tokens")
        other = await service.components.token_cache.get(USER_IDS[1])
    await service.components.token_cache.put(USER_IDS[0], other)
    second = await _explain(service)
    assert second["evidence"]["user_tokens"] != first["evidence"]["user_tokens"]


@pytest.mark.parametrize("spoilt", [b"", b"1234", b"{}", b"x" * 400])
async def test_a_spoilt_answer_is_made_again(service, spoilt):
    """Whatever another writer left there, its checksum tells; nobody is sent it."""
    await service.until_explaining()
    first = await _explain(service)
    (key,) = _answers(service)
    await service.components.explanation_cache.put_answer(key, spoilt)
    assert _timeless(await _explain(service)) == _timeless(first)


async def test_a_cut_answer_is_made_again(service):
    """Half of an answer is none."""
    await service.until_explaining()
    first = await _explain(service)
    ((key, (_, data)),) = _answers(service).items()
    await service.components.explanation_cache.put_answer(key, data[: len(data) // 2])
    assert _timeless(await _explain(service)) == _timeless(first)


async def test_redis_gives_answers_to_another_service(store, redis_server):
    """One service writes, another sends: the same words, and neither asks its language model twice."""
    settings = Settings(store=store, redis=redis_server.url)
    async with running(settings) as one, running(settings) as other:
        await one.until_explaining()
        first = await _explain(one)
        second = await _explain(other)
        assert _searches(other) == 0
    assert _timeless(second) == _timeless(first)
    assert json.dumps(second["evidence"]) == json.dumps(first["evidence"])
