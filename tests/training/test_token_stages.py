"""Stages after the vectors: kept by content, and reading back what they wrote."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.soft_tokens import SoftTokenTable
from tests.training.workshops import CODEBOOK_SIZE, CONFIG, ToyWorkshop, toy_workshop
from training.config import EvaluationConfig, TokenizerConfig
from training.stages import StageCache
from training.token_stages import (
    evaluation_stage,
    new_projector,
    projector_stage,
    sampled,
    tokenizer_stage,
    trained_tokenizer_of,
)
from training.train_tokenizer import train_tokenizer

TOKENIZER = TokenizerConfig(codebook_size=8, kmeans_iterations=5)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path)


def names(cache: StageCache) -> list[str]:
    """Which stages have been made, each as often as it was made."""
    return sorted(path.name.split("-")[0] for path in cache.root.iterdir())


def test_the_tokenizer_is_read_back_as_it_was_trained(toy, cache):
    """Quantizers, codes, texts and vocabulary equal those of train_tokenizer; the report has six levels a side."""
    graph = toy.tokenizer.embeddings
    output = tokenizer_stage(toy.data, graph, TOKENIZER, 0, cache, "vectors")
    found = trained_tokenizer_of(output, graph)
    expected = train_tokenizer(graph, toy.data.dataset, toy.data.split.train, TOKENIZER, 0)
    np.testing.assert_array_equal(found.user_codes, expected.user_codes)
    np.testing.assert_array_equal(found.item_codes, expected.item_codes)
    np.testing.assert_array_equal(found.item.micro.codebooks, expected.item.micro.codebooks)
    np.testing.assert_array_equal(found.user.macro.codebook, expected.user.macro.codebook)
    np.testing.assert_array_equal(found.embeddings.item_texts, expected.embeddings.item_texts)
    assert found.vocabulary == expected.vocabulary
    assert {side: len(each["usage"]) for side, each in output.facts["codebooks"].items()} == {"user": 6, "item": 6}


def test_a_projector_starts_at_words_of_the_llm_s_own_length(toy):
    """Named codes are as long as an input embedding is on average, nameless ones zero; the seed decides the rest."""
    rows = toy.data.split.train_explanations
    table = new_projector(toy.workshop, toy.tokenizer, rows, CONFIG, seed=0).table()
    spec = toy.workshop.language_model.spec
    lengths = np.linalg.norm(table.user, axis=-1)
    np.testing.assert_allclose(lengths[1:], spec.embedding_rms * spec.hidden_size**0.5, rtol=1e-4)
    assert lengths[0, 2:].tolist() == [0, 0]
    again, other = (new_projector(toy.workshop, toy.tokenizer, rows, CONFIG, seed=seed) for seed in (0, 1))
    first = new_projector(toy.workshop, toy.tokenizer, rows, CONFIG, seed=0)
    assert (first.user.inner.weight == again.user.inner.weight).all()
    assert not (first.user.inner.weight == other.user.inner.weight).all()


def test_the_projector_is_trained_once(toy, cache):
    """The second call reads the table back; another seed or config trains anew, and each step's losses are kept."""

    def make(seed: int = 0, config=CONFIG):
        rows = toy.data.split.train_explanations
        return projector_stage(toy.workshop, toy.tokenizer, rows, config, seed, cache, "tokens")

    first, again = make(), make()
    assert names(cache) == ["projector"]
    assert first.tensors["user"].tobytes() == again.tensors["user"].tobytes()
    table = SoftTokenTable.from_tensors(first.tensors)
    assert (table.codebook_size, table.hidden_size) == (CODEBOOK_SIZE, toy.workshop.language_model.spec.hidden_size)
    assert np.shape(first.facts["losses"]) == (CONFIG.max_steps, 2)
    make(seed=1)
    make(config=replace(CONFIG, width=9))
    assert names(cache) == ["projector"] * 3


def test_an_evaluation_judges_a_sample_and_is_kept(toy, cache):
    """At most `max_rows` explanations, the same ones each time; the second call opens no LLM."""
    table = new_projector(toy.workshop, toy.tokenizer, toy.data.split.train_explanations, CONFIG, seed=0).table()
    rows, config = toy.data.split.train_explanations, EvaluationConfig(max_rows=5, bootstrap_samples=20)
    assert len(rows) > 5

    def judge(config):
        return evaluation_stage(toy.workshop, table, rows, config, "float32", 0, cache, "projector")

    figures = judge(config)
    assert figures["rows"] == 5
    assert set(figures["tokens_only"]["nll"]) == {"true", "user", "item", "both"}
    assert judge(config) == figures
    assert names(cache) == ["evaluation"]
    judge(replace(config, max_rows=6))
    assert names(cache) == ["evaluation"] * 2


def test_a_sample_is_seeded_and_in_order():
    """Fewer rows than asked for stay as they are; of more, so many different ones in ascending order."""
    rows = np.arange(100, 160)
    np.testing.assert_array_equal(sampled(rows, 60, 0), rows)
    chosen = sampled(rows, 10, 0)
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    assert len(chosen) == 10
    assert set(chosen.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(chosen, sampled(rows, 10, 0))
    assert not np.array_equal(chosen, sampled(rows, 10, 1))
