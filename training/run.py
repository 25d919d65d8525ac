"""The training run, top to bottom, one call a stage."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_store.embeddings import NodeEmbeddings
from model_store.soft_tokens import SoftTokens
from model_store.store import ModelStore
from training.codebook_stage import codebooks_stage
from training.cold_items import with_borrowed_items
from training.config import ControlName, RunConfig
from training.controls import CONTROLS_FILE, controls_bytes
from training.explanation_stage import Examined, Settings, evaluation_stage
from training.explanation_tables import explanation_tables
from training.export import Tokens, artifact_parts, publish
from training.fetch_language_model import fetch_language_model
from training.lesson import Lesson
from training.machine import machine
from training.prepare import Prepared, prepare
from training.progress import console, counted, ranking_table, stage, zero_shot_lines
from training.projector_stages import control_stages, projector_stage
from training.ranking_stages import order_stage, ranking_stage, zero_shot_stage
from training.report import page
from training.rerank_stage import rerank_stage
from training.run_log import Log, no_log
from training.stages import StageCache, StageOutput, stage_key
from training.stated_preferences import PreferenceJudge
from training.token_map import token_map
from training.token_source import TokenSource
from training.token_stages import tokenizer_stage, trained_tokenizer_of
from training.train_lightgcn import Epoch, TrainedVectors, train_lightgcn
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop

VECTORS_FORMAT = 2
"""Of what a stage makes of the same inputs: counted up when its code changes that."""

STAGES_FOLDER = ".stages"
"""In the store: what finished stages made."""


def run(
    config: RunConfig, folder: Path | None, store: Path, *, to_publish: bool = True, log: Log = no_log
) -> dict[str, Any]:
    """The report of training what the config says on the data in `folder`, once it is published.

    What an earlier run left in the store's stage cache is used again. `log` hears of every step of the projector and
    its controls when it is made. ConfigError, DataError, ModelStoreError.
    """
    cache = StageCache(store / STAGES_FOLDER)
    prepared, vectors, tokens, tokenizer, figures = measured_tokens(config, folder, cache)
    fetched = fetch_language_model(config.projector.language_model)
    workshop = Workshop.of(prepared, tokenizer, fetched, config.projector)
    lesson = Lesson(workshop, prepared, tokenizer, config.projector, config.seed, tokens.facts["key"], log)
    projected = projector_stage(lesson, cache)
    soft_tokens = SoftTokens.from_tensors(projected.tensors)
    controls = control_stages(lesson, config.controls.train, cache)
    own = TokenSource(soft_tokens, tokenizer.user_codes, tokenizer.item_codes)
    groups, test_rows = prepared.dataset.user_groups, prepared.split.test_explanations
    examined = Examined(
        workshop, own, controls.sources, test_rows, tokenizer.vocabulary, groups, preference_judge(config, prepared)
    )
    settings = Settings(config.evaluation, config.projector, config.seed)
    explained = evaluation_stage(examined, settings, cache, f"{projected.facts['key']} {controls.key}")
    console.print(*explanation_tables(explained["explanations"]), sep="\n")
    rerank = rerank_stage(workshop, own, prepared.split, settings, cache, projected.facts["key"])
    stages = {"vectors": vectors, "tokenizer": tokens, "projector": projected}
    report = {
        **figures,
        "rerank": rerank,
        **explained,
        **report_of(config, stages),
        "control_losses": controls.losses,
        "token_map": token_map(tokenizer.embeddings, tokenizer.item_codes, tokenizer.vocabulary, config.seed),
    }
    if not to_publish:
        return report
    published = _publish(config, store, prepared, tokenizer, workshop, soft_tokens, report, controls.sources)
    console.print(f"[green]published[/green] {published} in {store}")
    return report


def preference_judge(config: RunConfig, prepared: Prepared) -> PreferenceJudge | None:
    """What finds the preferences that texts state; None where items have no facts."""
    dataset = prepared.dataset
    rows = np.arange(dataset.num_items)
    return PreferenceJudge.of(dataset.items, rows, prepared.split.train, dataset.num_users, config.supervision.taste)


class MeasuredTokens(NamedTuple):
    """What a run has before the LLM is opened."""

    prepared: Prepared
    vectors: StageOutput
    tokens: StageOutput
    tokenizer: TrainedTokenizer
    figures: dict[str, Any]
    """As `figures_of_tokens` gives them."""


def measured_tokens(config: RunConfig, folder: Path | None, cache: StageCache) -> MeasuredTokens:
    """The stages up to the tokens, and what can be measured of those."""
    prepared = prepare(config, folder)
    vectors = vectors_stage(config, prepared, cache)
    graph = embeddings_of(vectors)
    tokens = tokenizer_stage(prepared, graph, config.tokenizer, config.seed, cache, vectors.facts["key"])
    tokenizer = trained_tokenizer_of(tokens, graph)
    figures = figures_of_tokens(config, prepared, tokenizer, tokens.facts["key"], cache)
    return MeasuredTokens(prepared, vectors, tokens, tokenizer, figures)


def figures_of_tokens(
    config: RunConfig, prepared: Prepared, tokenizer: TrainedTokenizer, inputs: str, cache: StageCache
) -> dict[str, Any]:
    """What can be measured without the LLM: `codebooks`, `ranking`, `zero_shot`, `order`; shown as it comes."""
    codebooks = codebooks_stage(config.evaluation, prepared, tokenizer, inputs, cache)
    ranking = ranking_stage(prepared, tokenizer, inputs, cache)
    console.print(ranking_table(ranking["test"]))
    zero_shot = zero_shot_stage(config, prepared, tokenizer, inputs, cache)
    console.print(zero_shot_lines(zero_shot), soft_wrap=True)
    order = order_stage(prepared, tokenizer.embeddings, inputs, cache)
    return {"codebooks": codebooks, "ranking": ranking, "zero_shot": zero_shot, "order": order}


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
        embeddings = with_borrowed_items(trained.embeddings, prepared.dataset.items)
        return _output_of(replace(trained, embeddings=embeddings), key)

    return cache.get_or_make("vectors", key, make)


def embeddings_of(output: StageOutput) -> NodeEmbeddings:
    """The embeddings that `vectors_stage` put out."""
    return NodeEmbeddings(**{name: output.tensors[name] for name in NodeEmbeddings.__dataclass_fields__})


def _publish(
    config: RunConfig,
    store: Path,
    prepared: Prepared,
    tokenizer: TrainedTokenizer,
    workshop: Workshop,
    soft_tokens: SoftTokens,
    report: dict[str, Any],
    controls: dict[ControlName, TokenSource],
) -> str:
    fetched = workshop.language_model
    tokens = Tokens(tokenizer.user, tokenizer.item, tokenizer.user_codes, tokenizer.item_codes, tokenizer.vocabulary)
    metrics = {name: report[name] for name in ("ranking", "zero_shot", "codebooks", "order", "rerank", "explanations")}
    parts = artifact_parts(
        config, prepared.dataset, prepared.split.train, tokenizer.embeddings, tokens, soft_tokens,
        workshop.template, fetched.spec, metrics,
    )  # fmt: skip
    with stage("Publishing"):
        files = {
            "report.json": json.dumps(report, indent=2, allow_nan=False).encode(),
            "report.html": page(report).encode(),
        }
        if controls:
            files[CONTROLS_FILE] = controls_bytes(controls)
        return publish(ModelStore(store), parts, fetched.folder, files)


def report_of(config: RunConfig, stages: dict[str, StageOutput]) -> dict[str, Any]:
    """What report.json says beside the figures: how each stage went, with which config, and where."""
    vectors = stages["vectors"].facts
    return {
        "name": config.name,
        "vectors": {name: vectors[name] for name in ("epochs", "best_epoch", "graph_filter")},
        "tokenizer_losses": stages["tokenizer"].facts["losses"],
        "projector_losses": stages["projector"].facts["losses"],
        "config": config.to_json(),
        "machine": machine(),
    }


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
