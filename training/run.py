"""The training run, top to bottom, one call a stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np

from model_store.embeddings import NodeEmbeddings
from training.config import RunConfig
from training.data import Dataset, Split, check_leaks, digest, split
from training.data_source import read_data
from training.progress import console, counted, ranking_table, stage
from training.ranking import graph_rankings
from training.stages import StageCache, StageOutput, stage_key
from training.supervision import Supervision, supervise
from training.train_lightgcn import Epoch, TrainedVectors, train_lightgcn

DATA_FORMAT = 1
VECTORS_FORMAT = 1
RANKING_FORMAT = 1
"""Of what a stage makes of the same inputs: counted up when its code changes that."""

STAGES_FOLDER = ".stages"
"""In the store: what finished stages made."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set ready to learn from: split without leaks, and with explanations whether or not it brought any."""

    dataset: Dataset
    split: Split
    supervision: Supervision | None
    """Where the explanations were made from likes and facts: what each of them states."""
    key: str
    """Of data, split and supervision: every later stage's key stands on it."""


def run(config: RunConfig, folder: Path | None, store: Path) -> None:
    """Train what the config says on the data in `folder`, as far as the stages go.

    What an earlier run left in the store's stage cache is used again. ConfigError, DataError, ModelStoreError.
    """
    cache = StageCache(store / STAGES_FOLDER)
    prepared = prepare(config, folder)
    vectors = vectors_stage(config, prepared, cache)
    ranking = ranking_stage(prepared, vectors, cache)
    console.print(ranking_table(ranking))


def prepare(config: RunConfig, folder: Path | None) -> Prepared:
    """Read, split and, where the data has no explanations, write them; LeakError if a held-out one was trained on."""
    with stage("Reading data"):
        dataset = read_data(config.data, folder)
        parts = split(dataset, config.split)
    console.print(f"     {_described(dataset, parts)}")
    console.print(indent(dataset.terms, "     "), style="dim", soft_wrap=True)
    settings = {"split": asdict(config.split), "supervision": asdict(config.supervision)}
    key = stage_key("data", code_format=DATA_FORMAT, config=settings, inputs=[digest(dataset)])
    made = None
    if dataset.explanations is None:
        with stage("Writing explanation targets from facts and likes"):
            made = supervise(dataset, parts, config.supervision)
        dataset = replace(dataset, explanations=made.explanations)
        parts = replace(
            parts, train_explanations=made.train, valid_explanations=made.valid, test_explanations=made.test
        )
    assert dataset.explanations is not None
    held_out = np.concatenate([parts.valid_explanations, parts.test_explanations])
    check_leaks(parts.train, dataset.explanations.pairs.take(held_out), dataset.user_ids, dataset.item_ids)
    return Prepared(dataset, parts, made, key)


def vectors_stage(config: RunConfig, prepared: Prepared, cache: StageCache) -> StageOutput:
    """NodeEmbeddings as tensors; facts: `epochs`, `best_epoch`, `graph_filter`, and `key` of this output."""
    settings = {"vectors": asdict(config.vectors), "seed": config.seed}
    key = stage_key("vectors", code_format=VECTORS_FORMAT, config=settings, inputs=[prepared.key])

    def make(_: Path) -> StageOutput:
        edges = prepared.split.train.num_pairs * config.vectors.max_epochs
        with counted("Training vectors", edges, "edges") as advance:
            trained = train_lightgcn(
                prepared.split,
                prepared.dataset.num_users,
                prepared.dataset.num_items,
                config.vectors,
                config.seed,
                on_edges=advance,
                on_epoch=_show_epoch,
            )
        return _output_of(trained, key)

    return cache.get_or_make("vectors", key, make)


def embeddings_of(output: StageOutput) -> NodeEmbeddings:
    """The embeddings that `vectors_stage` put out."""
    return NodeEmbeddings(**{name: output.tensors[name] for name in NodeEmbeddings.__dataclass_fields__})


def ranking_stage(prepared: Prepared, vectors: StageOutput, cache: StageCache) -> dict[str, Any]:
    """Recall and NDCG on test edges, by arm, as RankingResult writes itself."""
    key = stage_key("ranking", code_format=RANKING_FORMAT, config={}, inputs=[vectors.facts["key"]])

    def make(_: Path) -> StageOutput:
        with stage("Ranking the whole catalogue"):
            results = graph_rankings(embeddings_of(vectors), prepared.split)
        return StageOutput(facts={arm: result.to_json() for arm, result in results.items()})

    return cache.get_or_make("ranking", key, make).facts


def _output_of(trained: TrainedVectors, key: str) -> StageOutput:
    tensors = {name: getattr(trained.embeddings, name) for name in NodeEmbeddings.__dataclass_fields__}
    graph_filter = trained.graph_filter and asdict(trained.graph_filter)
    epochs = [
        {"number": epoch.number, "loss": epoch.loss, "valid": epoch.valid and epoch.valid.to_json()}
        for epoch in trained.epochs
    ]
    facts = {"key": key, "epochs": epochs, "best_epoch": trained.best_epoch, "graph_filter": graph_filter}
    return StageOutput(tensors, facts)


def _show_epoch(epoch: Epoch) -> None:
    loss = "the start" if epoch.loss is None else f"loss {epoch.loss:.4f}"
    valid = f", valid NDCG@20 {epoch.valid.ndcg[20]:.4f}" if epoch.valid else ""
    console.print(f"     epoch {epoch.number}: {loss}{valid}")


def _described(dataset: Dataset, parts: Split) -> str:
    """Counts, in a line."""
    counts = f"{parts.train.num_pairs:,} train, {parts.valid.num_pairs:,} valid, {parts.test.num_pairs:,} test"
    removed = f", {parts.removed.num_pairs:,} held out with their explanations" if parts.removed.num_pairs else ""
    return f"{dataset.name}: {dataset.num_users:,} users, {dataset.num_items:,} items; {counts}{removed}"
