"""Who may ask for what: with keys every path needs one unless it is said to be open."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from service.api_keys import make_key
from service.gate import OPEN_PATHS
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.service.conftest import RunningApp, running

WEB, OPS = make_key("web", "serve"), make_key("ops", "admin")
RECOMMEND = {"user_id": USER_IDS[0]}
EXPLAIN = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
async def guarded(store) -> AsyncIterator[RunningApp]:
    """A service with a key to serve and a key to administer."""
    async with running(Settings(store=store, api_keys=f"{WEB.entry} {OPS.entry}")) as service:
        yield service


async def test_a_known_key_opens_and_none_or_a_wrong_one_does_not(guarded):
    """401 says how to do better, 403 which scope is missing; both in the shape of every failure."""
    assert (await guarded.client.post("/recommend", json=RECOMMEND, headers=bearer(WEB.secret))).status_code == 200
    for headers in ({}, bearer("beat_wrong"), {"authorization": f"Basic {WEB.secret}"}, {"authorization": "Bearer "}):
        answer = await guarded.client.post("/recommend", json=RECOMMEND, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["type"] == "urn:beat-serve:problem:unauthenticated"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    answer = await guarded.client.post("/recommend", json=RECOMMEND, headers=bearer(OPS.secret))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:beat-serve:problem:forbidden")


async def test_every_route_needs_a_key_unless_it_is_open(guarded):
    """All paths of the application, those of no route too: nothing but the open ones answers a stranger."""
    document = (await guarded.client.get("/openapi.json")).json()
    asked = [(method, path) for path, methods in document["paths"].items() for method in methods]
    assert ("post", "/admin/reload") in asked
    for method, path in [*asked, ("get", "/nothing"), ("get", "/admin/nothing"), ("get", "/recommend/")]:
        answer = await guarded.client.request(method, path)
        assert (answer.status_code == 401) is (path not in OPEN_PATHS), (method, path, answer.status_code)


async def test_a_refused_body_is_not_read(guarded):
    """A stranger cannot make the service parse anything."""
    too_long = b"[" * 1_000_000  # 413 as soon as it is read
    assert (await guarded.client.post("/recommend", content=too_long)).status_code == 401
    known = bearer(WEB.secret)
    assert (await guarded.client.post("/recommend", content=too_long, headers=known)).status_code == 413


async def test_admin_routes_are_not_there_without_a_key_for_them(store, service):
    """404, as for any unknown path: without keys, and with keys of which none is for them."""
    assert (await service.client.post("/admin/reload", json={})).status_code == 404
    assert "/admin/reload" not in (await service.client.get("/openapi.json")).json()["paths"]
    async with running(Settings(store=store, api_keys=WEB.entry)) as guarded:
        answer = await guarded.client.post("/admin/reload", json={}, headers=bearer(WEB.secret))
        assert answer.status_code == 404


async def test_with_an_admin_key_alone_the_rest_stays_open(store):
    """What no key opens needs none."""
    async with running(Settings(store=store, api_keys=OPS.entry)) as service:
        assert (await service.client.post("/recommend", json=RECOMMEND)).status_code == 200
        assert (await service.client.post("/admin/rollback")).status_code == 401


async def test_keys_are_in_no_log_line(guarded, caplog):
    """Neither those let in nor those turned away, at any level."""
    caplog.set_level(logging.DEBUG)
    await guarded.client.post("/explain", json=EXPLAIN, headers=bearer(WEB.secret))
    await guarded.client.post("/recommend", json={}, headers=bearer("beat_guessed"))
    assert WEB.secret not in caplog.text
    assert "beat_guessed" not in caplog.text


async def test_a_key_that_asks_too_often_is_told_when_to_come_back(store):
    """The burst is answered, the next is 429 and counted; another key is not affected."""
    other = make_key("other", "serve")
    limited = Settings(store=store, api_keys=f"{WEB.entry} {other.entry}", rate_limit_per_s=0.05, rate_limit_burst=3)
    async with running(limited) as service:

        async def ask(secret: str):
            return await service.client.post("/recommend", json=RECOMMEND, headers=bearer(secret))

        answers = [await ask(WEB.secret) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        assert answers[3].json()["type"] == "urn:beat-serve:problem:rate-limited"
        assert service.metric("beat_rate_limited_requests_total") == 1
        assert (await ask(other.secret)).status_code == 200


async def test_without_redis_requests_pass_uncounted_and_a_metric_tells(store, redis_server):
    """The limit falls open: it must not be what takes the service down."""
    settings = Settings(store=store, api_keys=WEB.entry, rate_limit_per_s=0.1, rate_limit_burst=1)
    async with running(replace(settings, redis=redis_server.url, redis_timeout_ms=500)) as service:

        async def ask() -> int:
            answer = await service.client.post("/recommend", json=RECOMMEND, headers=bearer(WEB.secret))
            return answer.status_code

        assert [await ask(), await ask()] == [200, 429]
        redis_server.stop()
        assert [await ask(), await ask()] == [200, 200]
        assert service.metric("beat_redis_failures_total", use="rate_limit") == 1
