"""The service while what it leans on fails: each trouble is really caused, and goes away by itself."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_store import ModelStore
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.fakes import FakeLanguageModel
from tests.live_server import live
from tests.redis_server import RedisServer
from tests.service.conftest import listening
from tests.vllm_stand_in import VllmStandIn

KNOWN = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}
DEADLINE_MS = 1_000
IN_TIME_S = 15.0
"""The deadline, and what a busy machine may add."""


def _new() -> Iterator[dict[str, Any]]:
    """Questions that nobody has asked yet."""
    for length, user_id, item_id in itertools.product(range(40, 80), USER_IDS, ITEM_IDS):
        yield {"user_id": user_id, "item_id": item_id, "max_tokens": length, "deadline_ms": DEADLINE_MS}


NEW = _new()


class _Vllm:
    """A language model server on a port of its own, which can go away and come back."""

    def __init__(self, store: Path) -> None:
        artifact = ModelStore(store).load("latest")
        self.spec = artifact.manifest.language_model
        self.stand_in = VllmStandIn(artifact.language_model_path, self.spec.eos_token_ids[0])
        self.url = ""
        self._running = AsyncExitStack()

    async def start(self) -> None:
        port = int(self.url.rpartition(":")[2] or 0)
        self.url = await self._running.enter_async_context(live(self.stand_in, port=port, lifespan=False))

    async def stop(self) -> None:
        await self._running.aclose()

    async def fall_ill(self, illness: str) -> None:
        match illness:
            case "hangs":
                self.stand_in.delay_s = 3_600.0
            case "500":
                self.stand_in.status = 500
            case "garbage":
                self.stand_in.raw_answer = b"\xff<html>"
            case "poisoned":
                self.stand_in.poisoned = True
            case "gone":
                await self.stop()

    async def get_well(self) -> None:
        self.stand_in.delay_s, self.stand_in.status = 0.0, 200
        self.stand_in.raw_answer, self.stand_in.poisoned = None, False
        if not self._running._exit_callbacks:  # type: ignore[attr-defined]
            await self.start()


@pytest.fixture
async def vllm(store) -> AsyncIterator[_Vllm]:
    server = _Vllm(store)
    await server.start()
    yield server
    server.stand_in.delay_s = 0.0
    await server.stop()


async def _ask(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    started = time.perf_counter()
    answer = await client.post("/explain", json=body)
    assert time.perf_counter() - started < IN_TIME_S
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _parts(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    return {name: part["state"] for name, part in answer.json()["parts"].items()}


async def _until_source(client: httpx.AsyncClient, source: str, question: dict[str, Any] | None = None) -> None:
    """Ask this question, or new ones, until the answer has this source: a busy machine takes its time to get there."""
    async with asyncio.timeout(30):
        while (await _ask(client, question or next(NEW)))["source"] != source:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("illness", ["hangs", "500", "garbage", "poisoned", "gone"])
async def test_explanations_outlive_their_language_model(store, vllm, illness):
    """A real server falls ill: cached texts stay, others come from the template, in time and saying so; it heals."""
    settings = Settings(store=store, llm=vllm.url, llm_check_interval_s=0.2, llm_check_timeout_s=0.5)
    async with listening(settings) as client:
        await _until_source(client, "cache", KNOWN)
        await vllm.fall_ill(illness)
        for _ in range(3):
            assert (await _ask(client, KNOWN))["source"] == "cache"
            answer = await _ask(client, next(NEW))
            assert (answer["source"], bool(answer["fallback"])) == ("template", True)
            assert (await client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200
        async with asyncio.timeout(30):
            while (await _parts(client))["language_model"] != "down":
                await asyncio.sleep(0.05)
        started = time.perf_counter()
        for _ in range(5):
            assert (await _ask(client, next(NEW)))["fallback"].startswith("down")
        assert time.perf_counter() - started < 5 * DEADLINE_MS / 1e3  # the breaker is open: nobody waits
        await vllm.get_well()
        await _until_source(client, "llm")


@pytest.mark.parametrize("trouble", ["killed", "paused"])
async def test_explanations_outlive_redis(store, redis_server: RedisServer, trouble):
    """Without it every text is written anew, at once; when it is back, so is the cache."""
    model = FakeLanguageModel()
    async with listening(Settings(store=store, redis=redis_server.url), lambda: model) as client:
        await _until_source(client, "cache", KNOWN)
        redis_server.stop() if trouble == "killed" else redis_server.pause()
        for _ in range(5):
            assert (await _ask(client, KNOWN))["source"] == "llm"
            assert (await client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200
        parts = await _parts(client)
        assert (parts["explanation_cache"], parts["token_cache"], parts["language_model"]) == ("down", "down", "ok")
        redis_server.start() if trouble == "killed" else redis_server.resume()
        await _until_source(client, "cache", KNOWN)
        assert set((await _parts(client)).values()) == {"ok"}


async def test_neither_redis_nor_a_language_model_is_no_outage(store, vllm, redis_server):
    """Both gone: the template explains, recommendations go on, readiness holds."""
    settings = Settings(store=store, llm=vllm.url, redis=redis_server.url, llm_check_interval_s=0.2)
    async with listening(settings) as client:
        await _until_source(client, "llm")
        redis_server.stop()
        await vllm.stop()
        assert (await _ask(client, next(NEW)))["source"] == "template"
        assert (await client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200
        assert set((await _parts(client)).values()) == {"ok", "down"}


async def test_a_slow_language_model_ends_with_the_deadline(store):
    """The template in time, and nothing goes on being written for nobody."""
    model = FakeLanguageModel()
    async with listening(Settings(store=store), lambda: model) as client:
        model.word_s = 60.0
        answer = await _ask(client, next(NEW))
        assert (answer["source"], answer["fallback"]) == ("template", f"deadline: no text within {DEADLINE_MS} ms")
        assert model.left == 1


async def test_beyond_what_it_can_write_it_refuses_at_once(store):
    """Forty new questions, room for four: four are answered, 36 refused within moments; kept texts are served on."""
    model = FakeLanguageModel()
    async with listening(Settings(store=store, llm_max_prompts=4), lambda: model) as client:
        await _ask(client, KNOWN)
        model.go_on.clear()
        # of different lengths: two users with the same tokens share one prompt, and so one place
        questions = [KNOWN | {"max_tokens": 100 + n, "deadline_ms": 60_000} for n in range(40)]
        asking = {asyncio.create_task(client.post("/explain", json=question)) for question in questions}
        async with asyncio.timeout(30):
            while sum(task.done() for task in asking) < 36:
                await asyncio.sleep(0.01)
        assert (await _ask(client, KNOWN))["source"] == "cache"
        refused = [task.result() for task in asking if task.done()]
        model.go_on.set()
        answers = await asyncio.gather(*asking)
        assert {answer.status_code for answer in refused} == {429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert [answer.json()["source"] for answer in answers if answer.status_code == 200] == ["llm"] * 4
