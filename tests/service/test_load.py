"""The load generator's times and counts, against services whose answers are known beforehand."""

import asyncio
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from model_store import ModelStore
from service.__main__ import app
from service.load import run, run_load, summary
from service.load_plan import Arrival, LoadPlan, arrivals
from tests.service.conftest import RunningApp

STREAM = b'event: evidence\ndata: {}\n\nevent: delta\ndata: {"text": "So"}\n\n'
DONE = b"event: done\ndata: {}\n\n"
ERROR = b'event: error\ndata: {"status": 503}\n\n'


def _client(handler) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://svc")


def _asks(kind, number=1) -> list[Arrival]:
    return [Arrival(0.0, kind, "alice", 7)] * number


async def test_a_real_service_answers_all_of_a_load(service: RunningApp):
    """Every arrival is one request, counted by the service under its route."""
    plan = LoadPlan(100, 0.5, {"recommend": 1, "explain": 1})
    artifact = service.components.artifact
    answers = await run_load(service.client, arrivals(plan, artifact.user_ids, artifact.catalog.ids))
    for kind in ("recommend", "explain"):
        counted = service.metric("beat_request_duration_seconds_count", route=f"/{kind}", status="200")
        assert len(answers[kind].seconds) == answers[kind].num_asked == counted > 5


async def test_slow_answers_do_not_hold_up_the_next_requests():
    """Open loop: ten requests due at once to a service that takes 0.1 s each have all begun before one has ended."""
    under_way, most = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way, most = under_way + 1, max(most, under_way + 1)
        await asyncio.sleep(0.1)
        under_way -= 1
        return httpx.Response(200, json={})

    async with _client(answer) as client:
        answers = await run_load(client, _asks("recommend", 10))
    assert most == 10
    assert min(answers["recommend"].seconds) >= 0.1


async def test_failures_are_counted_by_reason():
    """Statuses, silence and slowness are told apart; none of them counts as answered."""
    statuses, faults = [429, 429], [httpx.ConnectError(""), httpx.ReadTimeout("")]

    def answer(request: httpx.Request) -> httpx.Response:
        if statuses:
            return httpx.Response(statuses.pop())
        raise faults.pop()

    async with _client(answer) as client:
        answers = await run_load(client, _asks("explain", 4))
    assert answers["explain"].failures == {"429": 2, "no answer": 1, "timeout": 1}
    assert answers["explain"].seconds == []


@pytest.mark.parametrize(
    ("body", "failures"),
    [(STREAM + DONE, {}), (STREAM, {"stream broke off": 1}), (STREAM + ERROR, {"stream error 503": 1})],
)
async def test_a_stream_counts_when_it_ends_in_order(body, failures):
    """The time of the first words is that of the first delta, and is kept for whole streams only."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    async with _client(answer) as client:
        answers = (await run_load(client, _asks("stream")))["stream"]
    assert answers.failures == failures
    assert len(answers.first_text_s) == len(answers.seconds) == (0 if failures else 1)
    assert all(first <= last for first, last in zip(answers.first_text_s, answers.seconds, strict=True))


async def test_the_summary_tells_percentiles_and_failures():
    """Of 1 to 100 ms the median is 50.5."""
    answers = await run_load(_client(lambda request: httpx.Response(503)), _asks("explain", 3))
    answers["explain"].seconds.extend(milliseconds / 1e3 for milliseconds in range(1, 101))
    printed = io.StringIO()
    Console(file=printed, width=120).print(summary(answers))
    row = next(line for line in printed.getvalue().splitlines() if "explain" in line)
    assert re.findall(r"[\d.]+", row)[:5] == ["103", "3", "50.5", "95.0", "99.0"]
    assert "503: 3" in row


def test_a_key_is_shown_to_the_service_that_wants_one(store):
    """With every request, as the service reads it."""
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shown.append(self.headers.get("authorization"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        plan = LoadPlan(20, 0.5, {"recommend": 1})
        run(address, ModelStore(store).load("latest"), plan, timeout_s=5, api_key="secret")
        server.shutdown()
    assert shown
    assert set(shown) == {"Bearer secret"}


def test_a_service_that_is_not_there_is_a_failure(store):
    """The command says what it asked, and exits with 1."""
    address = "http://127.0.0.1:9"  # discard: nobody listens
    result = CliRunner().invoke(app, ["load", "--store", str(store), "--address", address, "--seconds", "1"])
    assert result.exit_code == 1
    assert "no answer" in result.output


def test_ids_are_the_store_s(tmp_path):
    """Without a published version there is nobody to ask for."""
    result = CliRunner().invoke(app, ["load", "--store", str(tmp_path), "--seconds", "1"])
    assert result.exit_code == 1
    assert "no ids to ask for" in result.output
