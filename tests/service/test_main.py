"""The real command in a process of its own, and what it does when Redis dies under it."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from service.__main__ import app
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, tiny_artifact, unseen_rows
from tests.service.conftest import running
from tests.service_process import service_process

RECOMMEND = {"user_id": USER_IDS[0], "k": 2}
EXPLAIN = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[unseen_rows(0)[0]]}


def test_the_command_serves_and_stops_when_told(store):
    """Real sockets, real server: both answers are right, and SIGTERM ends it in order."""
    with service_process("--store", str(store), "--llm", "none") as (process, printed, address):
        assert "checkerboard-" in printed
        with httpx.Client(base_url=address) as client:
            recommended = client.post("/recommend", json=RECOMMEND).json()
            explained = client.post("/explain", json=EXPLAIN).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    assert [item["item_id"] for item in recommended["items"]] == [ITEM_IDS[row] for row in unseen_rows(0)]
    assert explained["source"] == "template"


def test_a_real_language_model_in_process_explains(store):
    """A tiny random Llama: /recommend answers while it loads, then it writes, the same text for the same question."""
    with (
        service_process("--store", str(store), "--max-tokens", "12") as (_, _, address),
        httpx.Client(base_url=address) as client,
    ):
        assert client.post("/recommend", json=RECOMMEND).status_code == 200
        deadline = time.monotonic() + 120
        while client.get("/readyz").json()["parts"]["language_model"]["state"] != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        first, second = (client.post("/explain", json=EXPLAIN, timeout=60).json() for _ in range(2))
    assert 0 < first["usage"]["completion_tokens"] <= 2 * 12  # a random model breaks off: it is asked once more
    assert (first["text"], first["usage"]) == (second["text"], second["usage"])


def test_settings_come_from_the_environment_and_flags_win(store):
    """BEAT_STORE and BEAT_LLM are taken, --redis wins over BEAT_REDIS, and no password is printed."""
    environment = {
        "BEAT_STORE": str(store),
        "BEAT_LLM": "http://key:hunter2@127.0.0.1:9",
        "BEAT_REDIS": "redis://nowhere",
    }
    with service_process("--redis", "redis://:hunter2@127.0.0.1:9/0", **environment) as (_, printed, address):
        assert httpx.get(f"{address}/healthz").status_code == 200
    assert "redis://***@127.0.0.1:9/0" in printed
    assert "port=0 redis=redis://***@127.0.0.1:9/0 redis_pool_size=16" in printed
    assert "hunter2" not in printed


def test_a_remote_language_model_is_served_without_torch(store):
    """A fresh interpreter that has imported everything on that path has not imported torch or transformers."""
    code = (
        "import sys, pathlib, service.app, service.__main__\n"
        "from service.bootstrap import build_components\n"
        "from service.settings import Settings\n"
        f"build_components(Settings(store=pathlib.Path({str(store)!r}), llm='vllm', redis='redis://127.0.0.1:9'))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_store_is_one_clear_line(tmp_path):
    """No trace, exit status 1, and the folder is named."""
    result = CliRunner().invoke(app, ["run", "--store", str(tmp_path / "nothing")])
    assert result.exit_code == 1
    assert "nothing" in result.output.replace("\n", "")
    assert "Traceback" not in result.output


def test_a_wrong_setting_names_its_flag():
    """Exit status 2, as for every misuse."""
    result = CliRunner().invoke(app, ["run", "--redis-pool-size", "0"])
    assert result.exit_code == 2
    assert "--redis-pool-size" in result.output


def test_a_taken_port_is_one_clear_line(store):
    """The address is named."""
    with service_process("--store", str(store), "--llm", "none") as (_, _, address):
        port = address.rpartition(":")[2]
        result = CliRunner().invoke(app, ["run", "--store", str(store), "--llm", "none", "--port", port])
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.output


def _lasting(answer: httpx.Response) -> str:
    """The answer without what is its own each time."""
    return str(
        {name: value for name, value in answer.json().items() if name not in ("recommendation_id", "timings_ms")}
    )


async def test_redis_stopping_and_coming_back_is_seen_by_no_client(store, redis_server):
    """Every answer stays 200 and the same while Redis is killed under load and started again; a metric counts it."""
    async with running(Settings(store=store, redis=redis_server.url, redis_timeout_ms=500)) as service:

        async def ask(times: int) -> set[tuple[int, str]]:
            answers = await asyncio.gather(*(service.client.post("/recommend", json=RECOMMEND) for _ in range(times)))
            return {(answer.status_code, _lasting(answer)) for answer in answers}

        async def cache_state() -> str:
            return str((await service.client.get("/readyz")).json()["parts"]["token_cache"]["state"])

        before = await ask(20)
        assert await cache_state() == "ok"
        asking = asyncio.create_task(ask(200))
        await asyncio.sleep(0.01)
        redis_server.stop()
        during = await asking | await ask(20)
        assert await cache_state() == "down"
        assert service.metric("beat_cache_lookups_total", cache="tokens", result="error") > 0
        assert (await service.client.post("/explain", json=EXPLAIN)).status_code == 200
        redis_server.start()
        assert await cache_state() == "ok"
        await ask(1)
        hits = service.metric("beat_cache_lookups_total", cache="tokens", result="hit")
        after = await ask(20)
        assert service.metric("beat_cache_lookups_total", cache="tokens", result="hit") == hits + 20
    assert len(before) == 1
    assert before == during == after
    assert next(iter(before))[0] == 200


def test_a_version_is_served_by_name(tmp_path: Path):
    """An older version stays askable after a newer one became `latest`."""
    root = tmp_path / "store"
    older = tiny_artifact(root)
    newer = tiny_artifact(root, dataset="newer")
    assert older != newer
    with service_process("--store", str(root), "--llm", "none", "--version", older) as (_, printed, address):
        assert older in printed
        answer = httpx.post(f"{address}/recommend", json=RECOMMEND).json()
    assert answer["model_version"] == older


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"]])
def test_help_is_there(command):
    """It names the command, or the options with their variables."""
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert ("BEAT_STORE" if command[0] == "run" else "run") in result.output


def test_a_new_key_is_printed_once_with_the_entry_for_the_settings():
    """The entry is one that the settings take, and holds the key's hash."""
    result = CliRunner().invoke(app, ["new-key", "ops", "--scopes", "serve+admin"])
    key, entry = (line.split()[-1] for line in result.output.splitlines())
    assert Settings(api_keys=entry).keys().find(key.encode()) is not None
    assert CliRunner().invoke(app, ["new-key", "ops", "--scopes", "root"]).exit_code == 2
