"""Stages after the vectors: kept by content, and reading back what they wrote."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.soft_tokens import SoftTokenTable
from tests.training.workshops import CODEBOOK_SIZE, CONFIG, ToyWorkshop, toy_workshop
from training.config import TokenizerConfig
from training.stages import StageCache
from training.token_stages import (
    new_projector,
    projector_stage,
    projector_start,
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
    """Quantizers, codes, texts and vocabulary equal those of train_tokenizer; no figures, which have a stage."""
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
    assert set(output.facts) == {"key", "vocabulary"}


def test_a_projector_starts_at_words_of_the_llm_s_own_length(toy):
    """Named codes are as long as an input embedding is on average, nameless ones zero; the seed decides the rest."""
    start = projector_start(toy.workshop, toy.tokenizer, toy.data.split.train_explanations, CONFIG)
    table = new_projector(toy.workshop, start, CONFIG, seed=0).table()
    spec = toy.workshop.language_model.spec
    lengths = np.linalg.norm(table.user, axis=-1)
    np.testing.assert_allclose(lengths[1:], spec.embedding_rms * spec.hidden_size**0.5, rtol=1e-4)
    assert lengths[0, 2:].tolist() == [0, 0]
    again, other = (new_projector(toy.workshop, start, CONFIG, seed=seed) for seed in (0, 1))
    first = new_projector(toy.workshop, start, CONFIG, seed=0)
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
