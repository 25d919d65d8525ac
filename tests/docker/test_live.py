"""A real Prometheus scrapes a real service under load: every panel shows something, every rule has what it asks for."""

import itertools
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service.__main__ import app
from tests.artifacts import tiny_artifact
from tests.docker.dashboards import Question, metric_names, questions
from tests.prometheus_server import PrometheusServer, find_prometheus
from tests.redis_server import find_redis_server, running_redis
from tests.service_process import service_process

RECORDED = {"vllm": "vllm_metrics", "redis": "redis_metrics"}
"""Jobs whose targets say here what real ones once said, before and after some work; see the README of each folder."""
INTERVAL = {"mean": 0.02, "low": -0.01, "high": 0.05}
MARGINS = dict.fromkeys(("user", "item", "both"), INTERVAL)
JUDGED = {"explanations": {"tokens_only": {"swap_margin": MARGINS}, "as_served": {"swap_margin": MARGINS}}}
PATIENCE_S = 15.0
"""For the last scrapes, on a busy machine."""
START_TIMEOUT_S = 300.0
"""Of the service and its language model: eight seconds on an idle machine."""
GRAFANA = {"$version": ".*", "$route": ".*", "$__rate_interval": "10s"}
"""What Grafana would put in the place of its variables."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """A Prometheus that has watched a service with Redis and a language model answer a load, and what others said."""
    binary, redis_binary = find_prometheus(), find_redis_server()
    if binary is None or redis_binary is None:
        pytest.skip("no prometheus or no redis-server (make prometheus redis)")
    folder = tmp_path_factory.mktemp("prometheus")
    tiny_artifact(folder / "store", metrics=JUDGED)
    with ExitStack() as running:
        redis = running.enter_context(running_redis(redis_binary, folder)).url
        address = running.enter_context(_service(folder / "store", redis))
        targets = {job: running.enter_context(_recorded(name)) for job, name in RECORDED.items()}
        targets["beat-serve"] = address.removeprefix("http://")
        with PrometheusServer(binary, folder, targets) as server:
            _load(folder / "store", address)
            yield server


def test_no_panel_is_empty(prometheus: PrometheusServer) -> None:
    """Every query of every panel of every dashboard finds numbers."""
    assert _unanswered(prometheus, questions()) == []


def test_every_rule_works_and_finds_what_it_asks_for(prometheus: PrometheusServer) -> None:
    """No rule fails; each recorded value is a number; each metric that an alert looks at is there."""
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == 16
    assert [rule["lastError"] for rule in rules if "lastError" in rule] == []
    recorded = [Question("rules", rule["name"], rule["name"]) for rule in rules if rule["type"] == "recording"]
    asked = {name for rule in rules if rule["type"] == "alerting" for name in metric_names(rule["query"])}
    assert _unanswered(prometheus, [*recorded, *(Question("alerts", name, name) for name in sorted(asked))]) == []


def test_all_targets_are_scraped_without_a_fault(prometheus: PrometheusServer) -> None:
    """Under the names of the jobs that the stack's own configuration has."""
    targets = prometheus.ask("targets", state="active")["activeTargets"]
    assert {(t["labels"]["job"], t["health"], t["lastError"]) for t in targets} == {
        ("beat-serve", "up", ""),
        ("redis", "up", ""),
        ("vllm", "up", ""),
    }


def _unanswered(prometheus: PrometheusServer, asked: Iterator[Question] | list[Question]) -> list[str]:
    """Those that find no number; the last scrapes are waited for."""
    deadline, left = time.monotonic() + PATIENCE_S, list(asked)
    while True:
        left = [question for question in left if not _finds_numbers(prometheus, question.expression)]
        if not left or time.monotonic() > deadline:
            return [str(question) for question in left]
        time.sleep(0.5)


def _finds_numbers(prometheus: PrometheusServer, expression: str) -> bool:
    """Over the time of the load; NaN, which no panel draws, is no number."""
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    now = time.time()
    found = prometheus.ask("query_range", query=expression, start=now - 60, end=now, step=1)["result"]
    return any(math.isfinite(float(value)) for series in found for _, value in series["values"])


def _parts(address: str) -> dict[str, dict[str, str]]:
    """What is said of each part; importing torch can hold the answer up."""
    parts: dict[str, dict[str, str]] = httpx.get(f"{address}/readyz", timeout=START_TIMEOUT_S).json()["parts"]
    return parts


def _load(store: Path, address: str) -> None:
    """Ask by the command that the manual names. AssertionError, with what it printed, unless all was answered."""
    command = [
        "load",
        "--store",
        str(store),
        "--address",
        address,
        "--rate",
        "8",
        "--seconds",
        "10",
        "--explain",
        "0.3",
    ]
    asked = CliRunner().invoke(app, command, env={"COLUMNS": "120"})
    assert asked.exit_code == 0, asked.output
    failed = dict(re.findall(r"│ (recommend|explain|stream) +│ +\d+ │ +(\d+) │", asked.output))
    assert failed == {"recommend": "0", "explain": "0", "stream": "0"}, asked.output


@contextmanager
def _service(store: Path, redis: str) -> Iterator[str]:
    """The address of a service whose language model answers."""
    with service_process("--store", str(store), "--redis", redis, "--max-tokens", "8") as (_, _, address):
        deadline = time.monotonic() + START_TIMEOUT_S
        while (parts := _parts(address))["language_model"]["state"] != "ok":
            assert time.monotonic() < deadline, parts
            time.sleep(0.1)
        yield address


@contextmanager
def _recorded(folder: str) -> Iterator[str]:
    """The address of a server that answers each scrape with the next of the recorded ones, the last for ever."""
    texts = [path.read_bytes() for path in sorted(Path(__file__).with_name(folder).glob("*.txt"))]
    following = itertools.chain(texts, itertools.repeat(texts[-1]))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(next(following))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
