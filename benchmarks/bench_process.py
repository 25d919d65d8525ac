"""How long the service takes to be ready, and the memory that it then holds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import httpx

from benchmarks.figures import Figure, in_turn
from benchmarks.servers import Server, await_ready, language_model, service
from model_store import LATEST, Artifact, ModelStore
from tests.service_process import service_process

_MIB = 2**20
_LOAD = (
    "import sys, torch, transformers\n"
    "transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16, local_files_only=True)\n"
)


def bench_remote(store: Path, *, rounds: int) -> list[Figure]:
    """A service whose language model is elsewhere."""
    with language_model() as llm:
        ready_s = [_ready_s(store, "--llm", llm) for _ in range(rounds + 1)][1:]
        with service(store, "--llm", llm) as server:
            _ask(server, ModelStore(store).load(LATEST))
            own, mapped = server.resident_bytes()
            torch = server.maps("libtorch")
    must_hold = _artifact_bytes(store)
    return [
        Figure("start, remote LLM", "to ready", median(ready_s), "s", at_most=3),
        Figure("start, remote LLM", "libraries of torch loaded", float(torch), at_most=0),
        Figure("memory, remote LLM", "resident", (own + mapped) / _MIB, "MiB", at_most=300 + must_hold / _MIB),
        Figure("memory, remote LLM", "of it mapped files (index, vectors, libraries)", mapped / _MIB, "MiB"),
        Figure("memory, remote LLM", "bytes of the version", must_hold / _MIB, "MiB"),
    ]


def bench_in_process(store: Path, *, rounds: int) -> list[Figure]:
    """A service that runs its language model itself, against a process that imports and loads the same and no more."""
    artifact = ModelStore(store).load(LATEST)
    weights = artifact.language_model_path
    start = in_turn(
        rounds,
        lambda: _ready_s(store, "--llm", "transformers"),
        lambda: _seconds(lambda: subprocess.run([sys.executable, "-c", _LOAD, str(weights)], check=True)),
    )
    with service(store, "--llm", "transformers") as server:
        _ask(server, artifact)
        own, mapped = server.resident_bytes()
    must_hold = _artifact_bytes(store) + sum(file.stat().st_size for file in weights.glob("*.safetensors"))
    return [
        Figure("start, LLM in process", "of importing and loading alone", start.ratio, at_most=1.3),
        Figure("start, LLM in process", "to ready", median(start.ours), "s"),
        Figure("memory, LLM in process", "resident", (own + mapped) / _MIB, "MiB", at_most=300 + must_hold / _MIB),
        Figure("memory, LLM in process", "bytes of version and weights", must_hold / _MIB, "MiB"),
    ]


def _ready_s(store: Path, *options: str) -> float:
    def start() -> None:
        with service_process("--store", str(store), *options) as process:
            await_ready(process.address)

    return _seconds(start)


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _ask(server: Server, artifact: Artifact) -> None:
    """Some of everything, so that what is loaded late is there."""
    with httpx.Client(base_url=server.address, timeout=60) as client:
        for row in range(50):
            user_id, item_id = artifact.user_ids.to_id(row), artifact.catalog.ids.to_id(row)
            client.post("/recommend", json={"user_id": user_id}).raise_for_status()
            if row < 5:
                client.post("/explain", json={"user_id": user_id, "item_id": item_id}).raise_for_status()


def _artifact_bytes(store: Path) -> int:
    return sum(file.stat().st_size for file in ModelStore(store).load(LATEST).path.glob("*.safetensors"))
