"""POST /feedback: joined to its recommendation, and counted from the next request on."""

import asyncio
from typing import Any

import pytest

from service.schemas.feedback import FeedbackResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, history_rows, unseen_rows
from tests.service.conftest import RunningApp, running


async def _send(service: RunningApp, *events: dict[str, Any]) -> dict[str, Any]:
    answer = await service.client.post("/feedback", json={"events": events})
    assert answer.status_code == 202, answer.text
    assert FeedbackResponse.model_validate(answer.json()).model_dump() == answer.json()
    return dict(answer.json())


async def _recommend(service: RunningApp, **body: Any) -> dict[str, Any]:
    return dict((await service.client.post("/recommend", json=body)).json())


def _ids(answer: dict[str, Any]) -> list[int]:
    return [item["item_id"] for item in answer["items"]]


async def test_what_was_bought_does_not_come_again_and_changes_the_tokens(service):
    """A red user who buys blue is somebody else from the next request on, without any training."""
    before = await _recommend(service, user_id=USER_IDS[0], k=1)
    blue = [ITEM_IDS[row] for row in range(1, 12, 2)]
    receipt = await _send(service, *({"kind": "buy", "item_id": item, "user_id": USER_IDS[0]} for item in blue))
    assert receipt == {"accepted": 6, "applied": 6, "joined": 0, "shared": True}
    after = await _recommend(service, user_id=USER_IDS[0], k=100)
    assert not set(_ids(after)) & set(blue)
    assert before["user_tokens"] != after["user_tokens"]
    profile = (await service.client.get(f"/users/{USER_IDS[0]}/tokens")).json()
    assert profile["tokens"] == after["user_tokens"]
    assert profile["history"][0]["item_id"] == blue[-1]
    assert service.metric("beat_feedback_events_total", event="buy") == 6


async def test_a_dislike_keeps_the_item_away_and_the_vector_as_it_was(service):
    """The second best of before is the best now."""
    first, second = _ids(await _recommend(service, user_id=USER_IDS[3], k=2))
    await _send(service, {"kind": "dislike", "item_id": first, "user_id": USER_IDS[3]})
    after = await _recommend(service, user_id=USER_IDS[3], k=1)
    assert _ids(after) == [second]


async def test_the_recommendation_tells_whose_event_it_is_and_at_which_rank(service):
    """Without a user_id, the recommendation's user; the log has rank and version, counted from the first page."""
    page = await _recommend(service, user_id=USER_IDS[1], k=1, offset=1)
    event = {"kind": "view", "item_id": _ids(page)[0], "recommendation_id": page["recommendation_id"]}
    assert await _send(service, event) == {"accepted": 1, "applied": 1, "joined": 1, "shared": True}
    kept = service.components.feedback.log.events[-1]
    assert (kept.user_id, kept.rank, kept.model_version) == (USER_IDS[1], 1, page["model_version"])
    assert _ids(page)[0] not in _ids(await _recommend(service, user_id=USER_IDS[1], k=100))


async def test_events_that_cannot_be_joined_are_kept_as_they_are(service):
    """Of an unknown recommendation, of another user's, of an item that was not in it."""
    answer = await _recommend(service, user_id=USER_IDS[1], k=1)
    joined = {"recommendation_id": answer["recommendation_id"], "kind": "like"}
    receipt = await _send(
        service,
        {"kind": "like", "item_id": ITEM_IDS[0], "recommendation_id": "unheard-of"},
        joined | {"item_id": _ids(answer)[0], "user_id": USER_IDS[2]},
        joined | {"item_id": ITEM_IDS[history_rows(1)[0]]},
    )
    assert receipt == {"accepted": 3, "applied": 2, "joined": 0, "shared": True}


async def test_a_new_user_is_recommended_to_after_the_first_event(service):
    """Popular items before, then the user's colour; the user is still told to be unknown to the model."""
    assert (await _recommend(service, user_id="newcomer"))["fallback"].startswith("popular")
    for row in history_rows(1):
        await _send(service, {"kind": "like", "item_id": ITEM_IDS[row], "user_id": "newcomer"})
    answer = await _recommend(service, user_id="newcomer", k=2)
    assert _ids(answer) == [ITEM_IDS[row] for row in unseen_rows(1)]
    assert answer["fallback"].startswith("fold_in")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": [{"kind": "stare", "item_id": 1}]},
        {"events": [{"kind": "like"}]},
        {"events": [{"kind": "like", "item_id": 1, "recommendation_id": "a b"}]},
        {"events": [{"kind": "like", "item_id": 1}] * 101},
    ],
)
async def test_malformed_feedback_is_422(service, body):
    """Unknown kinds, no item, no events or too many."""
    assert (await service.client.post("/feedback", json=body)).status_code == 422


async def test_feedback_to_one_service_counts_in_another(store, redis_server):
    """Two services on one Redis; a third one that starts later knows it too."""
    settings = Settings(store=store, llm="none", redis=redis_server.url)
    bought = ITEM_IDS[unseen_rows(0)[0]]

    async def until_gone(service: RunningApp) -> None:
        async with asyncio.timeout(30):
            while bought in _ids(await _recommend(service, user_id=USER_IDS[0], k=100)):
                await asyncio.sleep(0.02)

    async with running(settings) as one, running(settings) as other:
        answer = await _recommend(other, user_id=USER_IDS[0], k=100)
        await asyncio.sleep(0.5)  # until the other service has saved what it recommended
        event = {"kind": "buy", "item_id": bought, "recommendation_id": answer["recommendation_id"]}
        assert await _send(one, event) == {"accepted": 1, "applied": 1, "joined": 1, "shared": True}
        await until_gone(other)
    async with running(settings) as third:
        await until_gone(third)


async def test_without_redis_feedback_counts_in_this_service_and_says_so(store, redis_server):
    """202 all the same."""
    async with running(Settings(store=store, llm="none", redis=redis_server.url)) as service:
        redis_server.stop()
        bought = ITEM_IDS[unseen_rows(0)[0]]
        receipt = await _send(service, {"kind": "buy", "item_id": bought, "user_id": USER_IDS[0]})
        assert receipt["shared"] is False
        assert bought not in _ids(await _recommend(service, user_id=USER_IDS[0], k=100))
