"""/explain from the cache and /recommend against an empty FastAPI route behind the same server, one worker each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from benchmarks.figures import Figure
from benchmarks.http_load import Load, load
from benchmarks.servers import Server, empty_route, language_model, redis, service
from model_store import LATEST, Artifact, ModelStore

Bodies = Sequence[dict[str, int | str]]

_PAIRS = 1_000
_USERS = 4_000


@dataclass(frozen=True)
class _Round:
    """One server under load: how it answered, and the processor time that each answer took."""

    load: Load
    cpu_us: float


def bench_explain_cached(store: Path, *, rounds: int, seconds: float) -> list[Figure]:
    """Explanations that Redis holds; a stand-in wrote them, so that no language model is measured."""
    draw, artifact = random.Random(0), ModelStore(store).load(LATEST)
    pairs = [{"user_id": _user(artifact, draw), "item_id": _item(artifact, draw)} for _ in range(_PAIRS)]
    with _both(store) as (ours, peer):
        with httpx.Client(base_url=ours.address) as client:
            for pair in pairs:
                client.post("/explain", json=pair).raise_for_status()
            again = client.post("/explain", json=pairs[0]).json()
        assert again["source"] == "cache", again["source"]
        found = _rounds(ours, "/explain", pairs, peer, clients=16, rounds=rounds, seconds=seconds)
    return _figures("explain-cached", found, ratio=0.45, p99_ms=10)


def bench_recommend(store: Path, *, rounds: int, seconds: float) -> list[Figure]:
    """Ten items for users drawn alike; tokens come from Redis."""
    draw, artifact = random.Random(0), ModelStore(store).load(LATEST)
    users = [{"user_id": _user(artifact, draw)} for _ in range(_USERS)]
    with _both(store) as (ours, peer):
        found = _rounds(ours, "/recommend", users, peer, clients=32, rounds=rounds, seconds=seconds)
    return _figures("recommend", found, ratio=0.3, p99_ms=20)


@contextmanager
def _both(store: Path) -> Iterator[tuple[Server, Server]]:
    with (
        redis() as url,
        language_model() as llm,
        empty_route() as peer,
        service(store, "--redis", url, "--llm", llm) as ours,
    ):
        yield ours, peer


def _rounds(
    ours: Server, path: str, bodies: Bodies, peer: Server, *, clients: int, rounds: int, seconds: float
) -> list[tuple[_Round, _Round]]:
    """Rounds of ours and the peer's, one straight after the other; a first one is not counted."""
    asked = [
        (
            _round(ours, path, bodies, clients=clients, seconds=seconds),
            _round(peer, "/empty", [{}], clients=clients, seconds=seconds),
        )
        for _ in range(rounds + 1)
    ]
    return asked[1:]


def _round(server: Server, path: str, bodies: Bodies, *, clients: int, seconds: float) -> _Round:
    before_s = server.cpu_s()
    answered = load(f"{server.address}{path}", bodies, clients=clients, seconds=seconds)
    return _Round(answered, 1e6 * (server.cpu_s() - before_s) / answered.requests)


def _figures(bench: str, found: list[tuple[_Round, _Round]], *, ratio: float, p99_ms: float) -> list[Figure]:
    speed = median(ours.load.per_s / peer.load.per_s for ours, peer in found)
    cpu = median(peer.cpu_us / ours.cpu_us for ours, peer in found)
    ours, peers = [ours.load for ours, _ in found], [peer.load for _, peer in found]
    at = f"at {ours[0].clients} clients"
    return [
        Figure(bench, "requests/s, of the empty route's", speed, at_least=ratio),
        Figure(bench, "processor time of the empty route's request, of ours", cpu, at_least=ratio),
        Figure(bench, f"p99 {at}", median(one.p99_ms for one in ours), "ms", at_most=p99_ms),
        Figure(bench, f"p99 {at}, best round", min(one.p99_ms for one in ours), "ms"),
        Figure(bench, f"p99 of the empty route {at}", median(one.p99_ms for one in peers), "ms"),
        Figure(bench, "requests/s", median(one.per_s for one in ours)),
        Figure(bench, "processor time of a request", median(one.cpu_us for one, _ in found), "us"),
    ]


def _user(artifact: Artifact, draw: random.Random) -> int | str:
    return artifact.user_ids.to_id(draw.randrange(len(artifact.user_ids)))


def _item(artifact: Artifact, draw: random.Random) -> int | str:
    return artifact.catalog.ids.to_id(draw.randrange(len(artifact.catalog)))
