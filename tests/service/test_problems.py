"""One table of statuses, and failures that a program can tell apart."""

from service import errors
from service.errors import ServiceError
from service.problems import STATUS_OF
from tests.artifacts import ITEM_IDS, USER_IDS


def test_every_error_of_the_tree_has_a_status():
    """A new error cannot be forgotten in the table."""
    tree = {found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, ServiceError)}
    assert set(STATUS_OF) == tree - {ServiceError}


async def test_failures_of_one_status_are_told_apart_by_their_type(service):
    """404 for a user, an item and a path: three types; a status that says all has none of ours."""
    user = await service.client.post("/explain", json={"user_id": "nobody", "item_id": ITEM_IDS[0]})
    item = await service.client.post("/explain", json={"user_id": USER_IDS[0], "item_id": 999_999})
    path = await service.client.get("/nothing")
    assert [(answer.status_code, answer.json()["type"], answer.json()["title"]) for answer in (user, item, path)] == [
        (404, "urn:beat-serve:problem:unknown-user", "Unknown user"),
        (404, "urn:beat-serve:problem:unknown-item", "Unknown item"),
        (404, "about:blank", "Not Found"),
    ]
