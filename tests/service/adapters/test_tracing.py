"""Traces, as a real OTLP/HTTP receiver gets them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.settings import Settings
from service.types import GenerationTimes
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.service.conftest import running

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver(ThreadingHTTPServer):
    """Keeps every span it is sent."""

    def __init__(self) -> None:
        self.spans: dict[str, object] = {}
        self.services: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        assert isinstance(self.server, Receiver)
        sent = trace_service.ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for resource in sent.resource_spans:
            self.server.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            self.server.spans |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _attributes(span) -> dict[str, object]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


async def test_a_request_is_a_trace_of_its_stages_under_its_callers(store, receiver):
    """The span is named by the route, carries the request id, and belongs to the trace of the `traceparent`."""
    headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "x-request-id": "asked-1"}
    body = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}
    async with running(Settings(store=store, otlp_endpoint=receiver.url)) as service:
        assert (await service.client.post("/explain", json=body, headers=headers)).status_code == 200
        assert (await service.client.get("/nothing/7")).status_code == 404
    request = receiver.spans["POST /explain"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert _attributes(request) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/explain",
        "beat.request_id": "asked-1",
    }
    stages = {name: receiver.spans[name] for name in ("tokens", "retrieval", "prompt")}
    assert {stage.parent_span_id for stage in stages.values()} == {request.span_id}
    assert all(stage.start_time_unix_nano <= stage.end_time_unix_nano for stage in stages.values())
    assert "/nothing/7" not in str(receiver.spans["GET"])
    assert receiver.services == {"beat-serve"}


async def test_the_engines_own_times_are_stages_one_after_the_other(store, receiver):
    """Waiting, reading and writing, as long as the engine says and in this order, under the request that waited."""
    seconds = {"queue": 0.25, "first_token": 0.5, "decode": 2.0}
    body = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}
    async with running(Settings(store=store, otlp_endpoint=receiver.url)) as service:
        service.model.times = GenerationTimes(*seconds.values())
        answer = (await service.client.post("/explain", json=body)).json()
    stages = [receiver.spans[name] for name in (*seconds, "total")]
    assert {stage.parent_span_id for stage in stages} == {receiver.spans["POST /explain"].span_id}
    lasted = {stage.name: (stage.end_time_unix_nano - stage.start_time_unix_nano) / 1e9 for stage in stages[:-1]}
    assert lasted == pytest.approx(seconds)
    assert stages[0].start_time_unix_nano < stages[1].start_time_unix_nano < stages[2].start_time_unix_nano
    assert {name: answer["timings_ms"][name] for name in seconds} == {name: 1e3 * s for name, s in seconds.items()}


async def test_a_reranked_and_explained_recommendation_is_one_trace(store, receiver):
    """Its stages, those of the explanations among them."""
    body = {"user_id": USER_IDS[0], "rerank": "llm", "explain": 1}
    async with running(Settings(store=store, otlp_endpoint=receiver.url)) as service:
        assert (await service.client.post("/recommend", json=body)).status_code == 200
    request = receiver.spans["POST /recommend"]
    for name in ("tokens", "retrieval", "rerank", "prompt", "queue", "first_token", "decode", "total"):
        assert receiver.spans[name].parent_span_id == request.span_id


async def test_a_collector_that_is_not_there_is_seen_by_no_client(store):
    """Answers are the same."""
    async with running(Settings(store=store, llm="none", otlp_endpoint="http://127.0.0.1:9")) as service:
        assert (await service.client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200


def test_without_an_endpoint_nothing_of_it_is_loaded(store):
    """A service that is not told to trace imports neither tracer nor exporter (redis-py imports other parts)."""
    code = (
        "import sys, pathlib\n"
        "from service.app import create_app\n"
        "from service.settings import Settings\n"
        "from service.versions import Versions\n"
        f"create_app(Versions(Settings(store=pathlib.Path({str(store)!r}), llm='none')))\n"
        "print({'service.adapters.tracing', 'opentelemetry.sdk.trace', 'opentelemetry.exporter'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
