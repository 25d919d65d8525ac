"""The run: data to vectors, codes and soft tokens to a published version, reused where nothing changed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder, PromptTemplate
from model_store.store import ModelStore
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from tests.training.encoders import tiny_sentence_encoder
from tests.training.graphs import NUM_ITEMS, NUM_USERS, write_checkerboard
from training.config import (
    ControlsConfig,
    DataConfig,
    EvaluationConfig,
    ProjectorConfig,
    RunConfig,
    TokenizerConfig,
    VectorsConfig,
)
from training.controls import read_controls
from training.evaluate_version import config_of, evaluate_version
from training.prepare import prepare
from training.ranking_stages import ranking_stage
from training.run import STAGES_FOLDER, embeddings_of, run, vectors_stage
from training.stages import StageCache
from training.token_stages import tokenizer_stage, trained_tokenizer_of

CONFIG = RunConfig(
    name="checkerboard",
    data=DataConfig(reader="tabular"),
    vectors=VectorsConfig(dim_per_level=2, max_epochs=1, batch_size=256, num_negatives=8),
    tokenizer=TokenizerConfig(codebook_size=16, text_dim=0),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_checkerboard(tmp_path / "data")


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path / "store" / STAGES_FOLDER)


def test_vectors_are_trained_once(data, cache):
    """The second call reads the same bytes back; another seed or config trains anew."""
    prepared = prepare(CONFIG, data)
    first = vectors_stage(CONFIG, prepared, cache)
    again = vectors_stage(CONFIG, prepare(CONFIG, data), cache)
    assert len(list(cache.root.iterdir())) == 1
    for name, array in first.tensors.items():
        assert array.tobytes() == again.tensors[name].tobytes()
    vectors_stage(replace(CONFIG, seed=1), prepared, cache)
    vectors_stage(replace(CONFIG, vectors=replace(CONFIG.vectors, max_epochs=0)), prepared, cache)
    assert len(list(cache.root.iterdir())) == 3


def test_every_held_out_item_is_found(data, cache):
    """On the checkerboard the Recall@10 of vectors, and of their codes alone, is 1; shapes are as published."""
    prepared = prepare(CONFIG, data)
    vectors = vectors_stage(CONFIG, prepared, cache)
    embeddings = embeddings_of(vectors)
    assert embeddings.users.shape == (NUM_USERS, 10)
    assert embeddings.items.shape == (NUM_ITEMS, 10)
    assert embeddings.item_texts.shape == (NUM_ITEMS, 0)
    assert np.isfinite(embeddings.fold_in_map).all()
    tokens = tokenizer_stage(prepared, embeddings, CONFIG.tokenizer, CONFIG.seed, cache, vectors.facts["key"])
    figures = ranking_stage(prepared, trained_tokenizer_of(tokens, embeddings), tokens.facts["key"], cache)
    assert figures["test"]["vectors"]["recall@10"] == 1
    assert figures["test"]["tokens only"]["recall@10"] == 1
    assert (
        set(figures["valid"])
        == set(figures["test"])
        == {"vectors", "fold-in", "popularity", "tokens only", "macro only"}
    )


@pytest.fixture
def whole(tmp_path: Path) -> RunConfig:
    """A config of all stages, small, with a tiny LLM in a folder."""
    tiny_language_model(tmp_path / "llm")
    projector = ProjectorConfig(
        language_model=str(tmp_path / "llm"),
        width=8,
        num_style=4,
        max_steps=3,
        batch_size=2,
        max_target_tokens=16,
        dtype="float32",
    )
    encoder = tiny_sentence_encoder(tmp_path / "encoder")
    evaluation = EvaluationConfig(
        max_rows=6, max_texts=3, bootstrap_samples=20, sentence_encoder=str(encoder), min_codebook_usage=0,
        rerank_users=3,
    )  # fmt: skip
    return replace(CONFIG, projector=projector, controls=ControlsConfig(("identity_free",)), evaluation=evaluation)


def test_a_whole_run_publishes_a_version_that_loads(data, tmp_path, whole):
    """Every part is there and passes the store's checks; the report has the figures that the manifest has."""
    store = tmp_path / "store"
    run(whole, data, store)
    artifact = ModelStore(store).load("latest")
    assert artifact.version.startswith("checkerboard-")
    assert (len(artifact.user_codes), len(artifact.item_codes)) == (NUM_USERS, NUM_ITEMS)
    length, hidden = artifact.soft_tokens.style.shape
    assert (length % 2, hidden) == (0, HIDDEN_SIZE)  # two examples
    assert length > 2 * (4 + 2 * artifact.soft_tokens.num_soft)
    assert artifact.soft_tokens.codebook_size == 16
    assert config_of(artifact) == whole
    report = json.loads((artifact.path / "report.json").read_text())
    assert report["ranking"]["test"]["vectors"]["recall@10"] == 1
    assert report["explanations"]["rows"] == 6
    assert len(report["projector_losses"]) == len(report["control_losses"]["identity_free"]) == 3
    assert read_controls(artifact.path)["identity_free"].tokens.codebook_size == 1
    page = (artifact.path / "report.html").read_text()
    assert "Swap margins" in page
    assert report["examples"][0]["title"] in page
    assert report["zero_shot"]["users"]["zero_shot"]["test"]["vectors"]["recall@10"] == 1
    assert report["rerank"]["users"] == 3
    assert report["codebooks"]["user"]["usage"]
    assert set(artifact.manifest.metrics) == {"ranking", "zero_shot", "codebooks", "order", "rerank", "explanations"}
    assert {name: report[name] for name in artifact.manifest.metrics} == artifact.manifest.metrics
    encoder, template = PromptEncoder.open(artifact.language_model_path), artifact.manifest.prompt_template
    slots = encoder.encode(PromptTemplate.from_json(template).render(title="A red thing")).slots
    lengths = {slot: where.stop - where.start for slot, where in slots.items()}
    assert lengths == {"style": length, "user": whole.projector.num_soft, "item": whole.projector.num_soft}


def test_a_second_run_makes_nothing_anew(data, tmp_path, whole):
    """The same config on the same data publishes under the same soft tokens, and every stage is read back."""
    store = tmp_path / "store"
    run(whole, data, store)
    first = ModelStore(store).load("latest")
    stages = {path: path.stat().st_mtime_ns for path in (store / STAGES_FOLDER).rglob("*")}
    assert {path.name.split("-")[0] for path in (store / STAGES_FOLDER).iterdir()} == {
        "vectors",
        "tokenizer",
        "ranking",
        "zero_shot",
        "codebooks",
        "rerank",
        "projector",
        "control",
        "evaluation",
    }
    run(whole, data, store)
    assert {path: path.stat().st_mtime_ns for path in (store / STAGES_FOLDER).rglob("*")} == stages
    again = ModelStore(store).load("latest")
    assert again.version == first.version
    np.testing.assert_array_equal(again.soft_tokens.user.outer, first.soft_tokens.user.outer)


def test_the_published_version_is_judged_as_the_run_judged_it(data, tmp_path, whole):
    """`evaluate` on the run's own data finds no leak and the run's own figures, of ranking and of explanations."""
    store = tmp_path / "store"
    run(whole, data, store)
    figures = evaluate_version(store, "latest", data, None)
    metrics = ModelStore(store).load("latest").manifest.metrics
    assert figures["ranking"] == metrics["ranking"]
    assert figures["explanations"] == metrics["explanations"]
