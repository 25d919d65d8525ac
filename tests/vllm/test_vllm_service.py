"""The whole service before a real vLLM (`make test-vllm`): streams, their times, callers who leave, reranking."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_store import Artifact
from service.settings import Settings
from tests.service.conftest import listening
from tests.service.server_events import ServerEvent, events_of

pytestmark = pytest.mark.vllm

MAX_TOKENS = 256
PATIENCE_S = 60


@pytest.fixture
async def client(vllm_url: str, demo_artifact: Artifact) -> AsyncIterator[httpx.AsyncClient]:
    """The service over the demo artifact, its LLM behind vLLM."""
    settings = Settings(
        store=demo_artifact.path.parent, llm=vllm_url, llm_dtype="float32", llm_check_timeout_s=PATIENCE_S
    )
    async with listening(settings, patience_s=2 * PATIENCE_S) as made:
        assert (await made.get("/readyz")).json()["parts"]["language_model"]["state"] == "ok"
        yield made


@pytest.fixture
def body(demo_artifact: Artifact) -> dict[str, Any]:
    """A user and an item that nobody else asks about."""
    return {
        "user_id": demo_artifact.user_ids.to_id(7),
        "item_id": demo_artifact.catalog.ids.to_id(11),
        "deadline_ms": 120_000,
    }


async def _metric(url: str, name: str) -> float:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        text = (await client.get(f"{url}/metrics")).text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]
    assert samples, f"vLLM tells no {name}"
    return sum(sample.value for sample in samples)


async def _until(url: str, name: str, holds: Callable[[float], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds(await _metric(url, name)):
            await asyncio.sleep(0.05)


async def test_a_streamed_explanation_comes_in_pieces_and_tells_where_its_time_went(client, body):
    """Evidence, many deltas, an end whose text they are; queue, first token and decoding as vLLM timed them."""
    async with client.stream("POST", "/explain", json=body | {"stream": True}, timeout=PATIENCE_S) as answer:
        first, *told = [event async for event in events_of(answer)]
    done = told[-1].data
    assert first.name == "evidence"
    assert (told[-1].name, done["fallback"]) == ("done", None)
    assert len([event for event in told if event.name == "delta"]) > 3
    assert done["usage"]["completion_tokens"] > 3
    assert min(done["timings_ms"][stage] for stage in ("first_token", "decode")) > 0
    assert done["timings_ms"]["queue"] >= 0


async def test_a_client_who_leaves_a_stream_ends_the_request_in_vllm(client, body, vllm_url):
    """After two pieces of a long text: vLLM runs nothing any more, and has not written the rest."""
    written = "vllm:generation_tokens_total"
    before = await _metric(vllm_url, written)
    long = body | {"stream": True, "temperature": 2.0, "seed": 3, "max_tokens": MAX_TOKENS}
    async with client.stream("POST", "/explain", json=long, timeout=PATIENCE_S) as answer:
        told: list[ServerEvent] = []
        async for event in events_of(answer):
            told.append(event)
            if len(told) == 3:
                break
    assert [event.name for event in told] == ["evidence", "delta", "delta"]
    await _until(vllm_url, "vllm:num_requests_running", lambda running: running == 0)
    assert await _metric(vllm_url, written) - before < MAX_TOKENS


async def test_a_client_who_leaves_an_answer_ends_the_request_in_vllm(client, body, vllm_url):
    """The same without a stream: the closed connection is noticed."""
    written = "vllm:generation_tokens_total"
    before = await _metric(vllm_url, written)
    long = body | {"temperature": 2.0, "seed": 4, "max_tokens": MAX_TOKENS}
    leaving = asyncio.create_task(client.post("/explain", json=long, timeout=PATIENCE_S))
    await _until(vllm_url, "vllm:num_requests_running", lambda running: running == 1)
    leaving.cancel()
    await _until(vllm_url, "vllm:num_requests_running", lambda running: running == 0)
    assert await _metric(vllm_url, written) - before < MAX_TOKENS


async def test_candidates_are_judged_by_vllm(client, body):
    """All twenty in one call, each with its own log-odds, the best first."""
    asked = {"user_id": body["user_id"], "k": 20, "rerank": "llm", "deadline_ms": 120_000}
    answer = (await client.post("/recommend", json=asked, timeout=2 * PATIENCE_S)).json()
    assert answer["fallback"] is None
    llm_scores = [item["llm_score"] for item in answer["items"]]
    assert llm_scores == sorted(llm_scores, reverse=True)
    assert len({*llm_scores}) > 1
