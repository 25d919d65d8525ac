"""Item search as a request makes it, against exact search over the same vectors."""

from __future__ import annotations

import time
from pathlib import Path

import faiss
import numpy as np

from benchmarks.figures import Figure, in_turn
from model_store import LATEST, ModelStore
from service.adapters.retriever import ExactRetriever, FaissRetriever
from service.interfaces import Retriever

_QUERIES = 1_000
_NOTHING = np.empty(0, np.int64)


def bench_retrieve(store: Path, *, rounds: int) -> list[Figure]:
    """Ten unseen items for users of the version, one query at a time, on one thread."""
    faiss.omp_set_num_threads(1)
    artifact = ModelStore(store).load(LATEST)
    items, users = artifact.embeddings.items, artifact.embeddings.users
    rows = np.random.default_rng(0).permutation(len(users))[:_QUERIES]
    ours, exact = FaissRetriever(items, artifact.index_bytes), ExactRetriever(items)
    wall_ms: list[float] = []
    cpu_ms: list[float] = []

    def ask(retriever: Retriever, wall_ms: list[float], cpu_ms: list[float]) -> float:
        before = len(cpu_ms)
        for row in rows.tolist():
            begun, cpu_begun = time.perf_counter(), time.thread_time()
            retriever.retrieve(users[row], 10, artifact.histories.of(row))
            wall_ms.append(1e3 * (time.perf_counter() - begun))
            cpu_ms.append(1e3 * (time.thread_time() - cpu_begun))
        return sum(cpu_ms[before:])

    found = in_turn(rounds, lambda: ask(ours, wall_ms, cpu_ms), lambda: ask(exact, [], []))
    shared = [
        np.isin(exact.retrieve(users[row], 100, _NOTHING).rows, ours.retrieve(users[row], 100, _NOTHING).rows).mean()
        for row in rows[:200]
    ]
    bench = f"retrieve, {len(items):,} items"
    return [
        Figure(bench, "Recall@100 against exact search", float(np.mean(shared)), at_least=0.95),
        Figure(bench, "p99 of one search", float(np.quantile(wall_ms, 0.99)), "ms", at_most=1),
        Figure(bench, "p99 of one search, processor time", float(np.quantile(cpu_ms, 0.99)), "ms", at_most=1),
        Figure(bench, "median of one search", float(np.median(wall_ms)), "ms"),
        Figure(bench, "processor time, of exact search's by numpy", found.ratio),
    ]
