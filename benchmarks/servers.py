"""The servers that benches ask, each in a process of its own while a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.redis_server import find_redis_server, running_redis
from tests.service_process import service_process

_START_TIMEOUT_S = 120.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A process and where it listens."""

    address: str
    pid: int

    def cpu_s(self) -> float:
        """Processor time that it has used; Linux."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def resident_bytes(self) -> tuple[int, int]:
        """Memory of its own, and pages of mapped files that lie in memory; Linux."""
        told = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        own, mapped = (int(told[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
        return own, mapped

    def maps(self, part_of_name: str) -> bool:
        """Whether a file so called is mapped into it, as a loaded library is; Linux."""
        return part_of_name in Path(f"/proc/{self.pid}/maps").read_text()


@contextmanager
def redis() -> Iterator[str]:
    """A real, empty Redis: its URL. RuntimeError where there is no redis-server."""
    binary = find_redis_server()
    if binary is None:
        raise RuntimeError("no redis-server: make redis")
    with tempfile.TemporaryDirectory() as folder, running_redis(binary, Path(folder)) as server:
        yield server.url


@contextmanager
def empty_route() -> Iterator[Server]:
    """An empty FastAPI route, POST /empty, in uvicorn as the service configures it, one worker."""
    with _module("benchmarks.empty_route") as server:
        yield server


@contextmanager
def language_model() -> Iterator[str]:
    """The address of a stand-in for vLLM."""
    with _module("benchmarks.language_model_stand_in") as server:
        yield server.address


@contextmanager
def service(store: Path, *options: str) -> Iterator[Server]:
    """`beat-serve run` over this store, one worker, ready to answer whatever it is configured for."""
    with service_process("--store", str(store), *options) as process:
        await_ready(process.address)
        yield Server(process.address, process.process.pid)


def await_ready(address: str) -> None:
    """Return when every part of the service answers. RuntimeError when it takes too long."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            parts = httpx.get(f"{address}/readyz", timeout=5).json()["parts"]
        except httpx.HTTPError:
            parts = {}
        if parts and all(part["state"] in ("ok", "off") for part in parts.values()):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{address} is not ready after {_START_TIMEOUT_S:g} s")


@contextmanager
def _module(name: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", name, str(port)], stderr=subprocess.DEVNULL)
    try:
        _await_listening(port)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        process.wait()


def _await_listening(port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")
