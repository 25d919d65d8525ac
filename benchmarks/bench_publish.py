"""A million users' tokens into Redis by `beat-serve publish`: at once, after a kill, and with the old ones deleted."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from redis import Redis

from benchmarks.figures import Figure
from benchmarks.made_version import Size, publish_made_version
from benchmarks.servers import redis
from model_store import NUM_CODES, IdMap
from service.adapters.token_publisher import TokenPublisher

_SIZE = Size(users=1_000_000, items=1_000, interactions_per_user=1, dim_graph=8, dim_text=8)
"""Vectors are not what is published."""
_WRITTEN = re.compile(r"([\d,]+) users written, ([\d,]+) there")
_MIB = 2**20


def bench_publish(folder: Path) -> list[Figure]:
    """The command as it is typed, its own start included; Redis is a fresh one each time."""
    version = publish_made_version(folder / "million", _SIZE)
    with redis() as url:
        before = _memory(url)
        whole_s, _ = _published(folder / "million", url)
        memory = _memory(url) - before
    with redis() as url:
        _killed_halfway(folder / "million", version, url)
        resumed_s, written = _published(folder / "million", url)
    with redis() as url:
        for other in ("before", version):
            codes = np.zeros((_SIZE.users, NUM_CODES), np.uint16)
            ids = IdMap.from_ids(np.arange(_SIZE.users), kind="user")
            TokenPublisher(url, version=other, ids=ids, codes=codes).publish(lambda _: None)
        pruned_s, _ = _published(folder / "million", url, "--prune")
        left = _memory(url) - before
    return [
        Figure("publish", "a million users", whole_s, "s", at_most=60),
        Figure("publish", "Redis' memory for them", memory / _MIB, "MiB", at_most=120),
        Figure("publish", "going on after a kill", resumed_s, "s", at_most=60),
        Figure("publish", "users that were still to be written then", written, at_most=_SIZE.users / 2),
        Figure("publish", "--prune of a million others", pruned_s, "s", at_most=60),
        Figure("publish", "Redis' memory after it", left / _MIB, "MiB", at_most=120),
    ]


def _command(store: Path, url: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "service", "publish", "--store", str(store), "--redis", url, *options]


def _published(store: Path, url: str, *options: str) -> tuple[float, int]:
    """Seconds of the command, and the users it wrote."""
    begun = time.perf_counter()
    output = subprocess.run(_command(store, url, *options), check=True, capture_output=True, text=True).stdout
    found = _WRITTEN.search(output)
    assert found is not None, output
    written, there = (int(number.replace(",", "")) for number in found.groups())
    assert there == _SIZE.users
    return time.perf_counter() - begun, written


def _killed_halfway(store: Path, version: str, url: str) -> None:
    """As by the system, in the middle of a trip: nothing is tidied up."""
    running = subprocess.Popen(_command(store, url), stdout=subprocess.DEVNULL)
    with Redis.from_url(url) as client:
        while client.dbsize() < _SIZE.users // 128:  # of a million users' hashes of 64
            time.sleep(0.01)
            assert running.poll() is None, f"{version} was published before it could be stopped"
        running.kill()
        running.wait()


def _memory(url: str) -> int:
    with Redis.from_url(url) as client:
        found: dict[str, int] = client.info("memory")
        return found["used_memory"]
