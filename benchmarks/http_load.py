"""Asking a server as fast as it answers, by wrk: a client in C, which a Python server does not have to wait for."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_SCRIPT = Path(__file__).with_name("post_lines.lua")


class NoLoadClient(Exception):
    """wrk is not installed."""

    def __init__(self) -> None:
        super().__init__("no wrk on PATH: it is the package `wrk` of Debian, Ubuntu and Homebrew")


@dataclass(frozen=True)
class Load:
    """How a server answered `clients` connections, each of which asks again when it has its answer."""

    clients: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def load(url: str, bodies: Sequence[object], *, clients: int, seconds: float) -> Load:
    """Post the bodies in turn for so long. Loopback only. Raises NoLoadClient; RuntimeError where one answer failed."""
    if urlsplit(url).hostname != "127.0.0.1":
        raise ValueError(f"{url} is not on this machine's loopback")
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoLoadClient
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as lines:
        lines.writelines(f"{json.dumps(body)}\n" for body in bodies)
        lines.flush()
        options = [f"-c{clients}", "-t1", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(_SCRIPT)]
        told = subprocess.run([wrk, *options, url, "--", lines.name], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    if found.pop("failed"):
        raise RuntimeError(f"{url}: some requests failed\n{told.stdout}")
    return Load(clients=clients, **found)
