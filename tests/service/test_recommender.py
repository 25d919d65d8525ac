"""POST /recommend on the checkerboard."""

import httpx
import pytest

from service.schemas.recommend import RecommendResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, NUM_USERS, USER_IDS, colour_of, history_rows, unseen_rows
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
    """Cold and warm token cache, byte for byte."""
    answers = {(await _recommend(service, 3)).content for _ in range(3)}
    assert len(answers) == 1
