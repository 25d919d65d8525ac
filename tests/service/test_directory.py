"""GET /users, /items, /users/{id}/tokens and /model on the checkerboard."""

from typing import Any

import pytest
from pydantic import BaseModel

from service.schemas.browse import ItemsResponse, ModelResponse, UsersResponse, UserTokensResponse
from tests.artifacts import ITEM_IDS, NUM_ITEMS, NUM_USERS, USER_IDS, colour_of, history_rows
from tests.service.conftest import RunningApp


async def _get(service: RunningApp, path: str, schema: type[BaseModel], **params: str | int) -> dict[str, Any]:
    answer = await service.client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    assert schema.model_validate(answer.json()).model_dump() == answer.json()
    return dict(answer.json())


async def test_users_are_found_by_a_piece_of_their_id(service):
    """All of them without a query; each with the words of the macro code and the length of the history."""
    everybody = (await _get(service, "/users", UsersResponse))["users"]
    assert [user["id"] for user in everybody] == list(USER_IDS)
    assert [user["label"].split(",")[0] for user in everybody] == [colour_of(row) for row in range(NUM_USERS)]
    assert {user["num_history"] for user in everybody} == {4}
    found = (await _get(service, "/users", UsersResponse, query="USER-3"))["users"]
    assert [user["id"] for user in found] == ["user-3"]


async def test_items_are_found_by_a_piece_of_their_title(service):
    """Popular ones first, not more than the limit, and titles and categories are the catalogue's."""
    found = (await _get(service, "/items", ItemsResponse, query="blue tale", limit=4))["items"]
    counts = [sum(row in history_rows(user) for user in range(NUM_USERS)) for row in range(NUM_ITEMS)]
    blue = sorted(range(1, NUM_ITEMS, 2), key=lambda row: (-counts[row], row))
    assert [item["id"] for item in found] == [ITEM_IDS[row] for row in blue[:4]]
    assert all(item["title"].startswith("Blue Tale") and item["categories"] == ["blue", "fiction"] for item in found)


async def test_the_item_with_just_this_id_comes_first(service):
    """Although its title does not hold the id."""
    found = (await _get(service, "/items", ItemsResponse, query="107"))["items"]
    assert [item["id"] for item in found] == [107]


async def test_a_users_tokens_are_those_of_recommendations(service):
    """The same labels as /recommend gives; the newest items of the history first."""
    profile = await _get(service, f"/users/{USER_IDS[2]}/tokens", UserTokensResponse)
    recommended = (await service.client.post("/recommend", json={"user_id": USER_IDS[2]})).json()
    assert profile["tokens"] == recommended["user_tokens"]
    assert [item["item_id"] for item in profile["history"]] == [ITEM_IDS[row] for row in history_rows(2)[::-1]]
    assert profile["history"][0]["title"] == f"Red Tale {history_rows(2)[-1]}"


async def test_an_unknown_users_tokens_are_404(service):
    """By name."""
    answer = await service.client.get("/users/nobody/tokens")
    assert answer.status_code == 404
    assert "'nobody'" in answer.json()["detail"]


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"query": "a" * 101}])
async def test_limits_of_searches_hold(service, params):
    """422 on both."""
    for path in ("/users", "/items"):
        assert (await service.client.get(path, params=params)).status_code == 422


async def test_the_served_version_tells_of_itself(service):
    """What the manifest says: name, size, metrics, the language model's hash."""
    model, manifest = await _get(service, "/model", ModelResponse), service.components.artifact.manifest
    assert model["version"] == manifest.version
    assert model["counts"] == {"users": NUM_USERS, "items": NUM_ITEMS, "interactions": 4 * NUM_USERS}
    assert model["metrics"] == {"recall_at_20": 1.0}
    assert model["language_model"]["sha256"] == manifest.language_model.sha256
