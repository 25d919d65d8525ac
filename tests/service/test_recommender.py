"""POST /recommend on the checkerboard."""

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from service.schemas.recommend import RecommendBatchResponse, RecommendResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, NUM_ITEMS, NUM_USERS, USER_IDS, colour_of, history_rows, unseen_rows
from tests.service.conftest import RunningApp, running


async def _recommend(service: RunningApp, user_row: int, **body: int) -> httpx.Response:
    return await service.client.post("/recommend", json={"user_id": USER_IDS[user_row], **body})


async def test_every_user_gets_the_unseen_items_of_their_colour(service):
    """The right answer follows from how the checkerboard was made."""
    for user_row in range(NUM_USERS):
        answer = (await _recommend(service, user_row, k=2)).json()
        assert [item["item_id"] for item in answer["items"]] == [ITEM_IDS[row] for row in unseen_rows(user_row)]


async def test_nothing_of_the_training_history_is_recommended(service):
    """Even with room for the whole catalogue."""
    for user_row in range(NUM_USERS):
        answer = (await _recommend(service, user_row, k=100)).json()
        found = {item["item_id"] for item in answer["items"]}
        assert found == set(ITEM_IDS) - {ITEM_IDS[row] for row in history_rows(user_row)}


async def test_the_answer_is_the_documented_one(service):
    """It fits the schema exactly; scores fall; titles and categories are the catalogue's; tokens have labels."""
    answer = await _recommend(service, 1, k=3)
    assert RecommendResponse.model_validate(answer.json()).model_dump() == answer.json()
    body = answer.json()
    assert body["user_id"] == USER_IDS[1]
    assert body["model_version"] == service.components.artifact.version
    assert body["fallback"] is None
    first = body["items"][0]
    assert first["title"] == f"Blue Tale {unseen_rows(1)[0]}"
    assert first["categories"] == [colour_of(1), "fiction"]
    scores = [item["score"] for item in body["items"]]
    assert scores == sorted(scores, reverse=True)
    assert [token["level"] for token in body["user_tokens"]] == ["macro", *(f"micro {n}" for n in range(1, 6))]
    assert body["user_tokens"][0]["label"].startswith("blue")


async def test_k_is_ten_unless_said(service):
    """Eight of twelve items are unseen, so all eight come."""
    assert len((await _recommend(service, 0)).json()["items"]) == 8


@pytest.mark.parametrize("retriever", ["exact", "faiss"])
async def test_both_retrievers_answer_the_same(store, retriever):
    """The setting changes the machinery, not the answer."""
    async with running(Settings(store=store, llm="none", retriever=retriever)) as service:
        answer = (await _recommend(service, 2, k=8)).json()
    assert [item["item_id"] for item in answer["items"][:2]] == [ITEM_IDS[row] for row in unseen_rows(2)]


async def test_the_same_request_gets_the_same_answer(service):
    """Cold and warm token cache; only the id and the times are new."""
    answers = [(await _recommend(service, 3)).json() for _ in range(3)]
    ids = {answer.pop("recommendation_id") for answer in answers}
    assert len(ids) == 3
    assert all(set(answer.pop("timings_ms")) == {"tokens", "retrieval", "total"} for answer in answers)
    assert answers[0] == answers[1] == answers[2]


async def _ask(service: RunningApp, **body: object) -> dict[str, Any]:
    answer = await service.client.post("/recommend", json=body)
    assert answer.status_code == 200, answer.text
    assert RecommendResponse.model_validate(answer.json()).model_dump() == answer.json()
    return dict(answer.json())


def _rows(answer: dict[str, Any]) -> list[int]:
    return [ITEM_IDS.index(item["item_id"]) for item in answer["items"]]


@pytest.mark.parametrize("user_row", range(NUM_USERS))
async def test_a_history_alone_gets_the_unseen_items_of_its_colour(service, user_row):
    """An anonymous session is recommended to as the user with that history."""
    answer = await _ask(service, history=[ITEM_IDS[row] for row in history_rows(user_row)], k=2)
    assert _rows(answer) == list(unseen_rows(user_row))
    assert (answer["user_id"], answer["fallback"], answer["unknown_items"]) == (None, None, [])
    assert answer["user_tokens"][0]["label"].startswith(colour_of(user_row))


async def test_an_unknown_user_with_a_history_gets_the_same_and_is_told(service):
    """Unknown items of the history are named; the fallback says what was done and is counted."""
    answer = await _ask(
        service, user_id="nobody", history=["none such", *(ITEM_IDS[row] for row in history_rows(1))], k=2
    )
    assert _rows(answer) == list(unseen_rows(1))
    assert answer["user_id"] == "nobody"
    assert answer["unknown_items"] == ["none such"]
    assert answer["fallback"] == "fold_in: no user 'nobody' in the served model"
    assert service.metric("beat_recommend_fallbacks_total", reason="fold_in") == 1


@pytest.mark.parametrize("body", [{"user_id": "nobody"}, {"history": [5]}, {"user_id": "nobody", "history": [5]}, {}])
async def test_a_stranger_gets_popular_items_and_is_told(service, body):
    """Not an error: the most had items of the training data, with their counts as scores."""
    answer = await _ask(service, **body, k=3)
    counts = [sum(row in history_rows(user) for user in range(NUM_USERS)) for row in range(NUM_ITEMS)]
    assert [item["score"] for item in answer["items"]] == sorted(counts, reverse=True)[:3]
    assert all(item["score"] == counts[row] for item, row in zip(answer["items"], _rows(answer), strict=True))
    assert answer["fallback"].startswith("popular: ")
    assert answer["user_tokens"] == []
    assert answer["unknown_items"] == body.get("history", [])


async def test_pages_put_together_are_the_ranking(service):
    """Offset 0, 3 and 6 of three items each are the first nine; a diverse ranking has pages too."""
    for diversity in (0.0, 0.5):
        whole = await _ask(service, user_id=USER_IDS[0], exclude_seen=False, k=9, diversity=diversity)
        pages = [
            await _ask(service, user_id=USER_IDS[0], exclude_seen=False, k=3, offset=offset, diversity=diversity)
            for offset in (0, 3, 6)
        ]
        assert [row for page in pages for row in _rows(page)] == _rows(whole)


async def test_what_was_seen_may_come_where_it_is_asked_for(service):
    """All six of the colour, earlier rows first, because they score higher."""
    assert _rows(await _ask(service, user_id=USER_IDS[0], exclude_seen=False, k=6)) == [0, 2, 4, 6, 8, 10]


async def test_excluded_items_do_not_come(service):
    """Known ones are left out besides those that were seen; unknown ones change nothing."""
    best, second = unseen_rows(0)
    answer = await _ask(service, user_id=USER_IDS[0], k=1, exclude=[ITEM_IDS[best], "none such"])
    assert _rows(answer) == [second]


async def test_filters_hold_together(service):
    """Any, all and none at once; for a known user, a history and a stranger."""
    colour, other = colour_of(0), colour_of(1)
    for whom in ({"user_id": USER_IDS[0]}, {"history": [ITEM_IDS[0]]}, {}):
        answer = await _ask(service, **whom, filter={"all": ["Fiction"], "any": [other, "none such"], "none": [colour]})
        assert {row % 2 for row in _rows(answer)} == {1}
        assert "unknown_category: no item has 'none such'" in answer["fallback"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"filter": {"all": ["red", "blue"]}}, "empty: no item passes the filter"),
        ({"exclude": list(ITEM_IDS)}, "empty: every item was seen or excluded"),
        ({"offset": 9}, "empty: the ranking has 8 items and the page begins after 9"),
    ],
)
async def test_an_empty_answer_says_why(service, body, reason):
    """200 with no items and the reason, never an error."""
    answer = await _ask(service, user_id=USER_IDS[0], **body)
    assert answer["items"] == []
    assert reason in answer["fallback"]
    assert service.metric("beat_recommend_fallbacks_total", reason="empty") == 1


async def test_diversity_brings_the_other_colour_up(service):
    """Without it the first six are of one colour; with most of the weight on it the second is of the other."""
    plain = await _ask(service, user_id=USER_IDS[0], exclude_seen=False, k=6)
    assert [row % 2 for row in _rows(plain)] == [0] * 6
    diverse = await _ask(service, user_id=USER_IDS[0], exclude_seen=False, k=6, diversity=0.9)
    assert [row % 2 for row in _rows(diverse)][:2] == [0, 1]


def _without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("recommendation_id", "timings_ms")}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"k": 3, "exclude": [ITEM_IDS[0]], "exclude_seen": False},
        {"filter": {"none": ["red"]}, "k": 2},
        {"diversity": 0.6, "k": 4},
        {"filter": {"all": ["red", "blue"]}},
    ],
)
async def test_a_batch_answers_each_user_as_alone(service, wanted):
    """Known users, one of them twice, and strangers, in the order asked, each with an id of its own."""
    user_ids = [*USER_IDS, "nobody", USER_IDS[0], "stranger"]
    answer = (await service.client.post("/recommend/batch", json={"user_ids": user_ids, **wanted})).json()
    assert RecommendBatchResponse.model_validate(answer).model_dump() == answer
    assert set(answer["timings_ms"]) == {"tokens", "retrieval", "total"}
    assert len({one["recommendation_id"] for one in answer["recommendations"]}) == len(user_ids)
    for user_id, one in zip(user_ids, answer["recommendations"], strict=True):
        alone = await _ask(service, user_id=user_id, **wanted)
        alone["items"] = [{name: item[name] for name in item if name != "explanation"} for item in alone["items"]]
        assert _without_id(one) == {name: alone[name] for name in _without_id(one)}


async def test_a_batch_is_bounded(service):
    """256 users, no more; and not none."""
    for user_ids, status in ((["a"] * 256, 200), (["a"] * 257, 422), ([], 422)):
        answer = await service.client.post("/recommend/batch", json={"user_ids": user_ids, "k": 1})
        assert answer.status_code == status


async def test_a_batch_asks_redis_once(store, redis_server):
    """Redis reads a few times what it is sent, not once a user; without Redis the answers are the same."""
    settings = Settings(store=store, llm="none", redis=redis_server.url)
    body = {"user_ids": [USER_IDS[number % NUM_USERS] for number in range(256)], "k": 2}
    async with running(settings) as service, Redis.from_url(redis_server.url) as redis:
        before = (await redis.info("stats"))["total_reads_processed"]
        with_redis = (await service.client.post("/recommend/batch", json=body)).json()
        assert (await redis.info("stats"))["total_reads_processed"] - before < 20
        redis_server.stop()
        without = (await service.client.post("/recommend/batch", json=body)).json()
    for one, other in zip(with_redis["recommendations"], without["recommendations"], strict=True):
        assert _without_id(one) == _without_id(other)
