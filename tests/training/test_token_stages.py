"""Stages after the vectors: kept by content, and reading back what they wrote."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.graphs import NUM_ITEMS, NUM_USERS
from tests.training.workshops import ToyWorkshop, toy_workshop
from training.config import StraightThroughConfig, TokenizerConfig
from training.stages import StageCache
from training.token_stages import tokenizer_stage, trained_tokenizer_of
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
    expected = train_tokenizer(graph, toy.data.dataset, toy.data.split, TOKENIZER, 0)
    np.testing.assert_array_equal(found.user_codes, expected.user_codes)
    np.testing.assert_array_equal(found.item_codes, expected.item_codes)
    np.testing.assert_array_equal(found.item.micro.codebooks, expected.item.micro.codebooks)
    np.testing.assert_array_equal(found.user.macro.codebook, expected.user.macro.codebook)
    np.testing.assert_array_equal(found.embeddings.item_texts, expected.embeddings.item_texts)
    assert found.vocabulary == expected.vocabulary
    assert set(output.facts) == {"key", "vocabulary", "losses"}
    assert output.facts["losses"] == []


def test_losses_of_the_papers_tokenizer_are_kept(toy, cache):
    """A row an epoch, by name, made or found; explanations of nothing but words that are everywhere teach nothing."""
    config = replace(TOKENIZER, method="straight_through", straight_through=StraightThroughConfig(dim=4, epochs=2))
    graph = replace(toy.tokenizer.embeddings, users=random_vectors(NUM_USERS), items=random_vectors(NUM_ITEMS))
    made = tokenizer_stage(toy.data, graph, config, 0, cache, "vectors").facts["losses"]
    assert [list(losses) for losses in made] == [["edges", "pull", "apart", "micro"]] * 2
    assert tokenizer_stage(toy.data, graph, config, 0, cache, "vectors").facts["losses"] == made


def random_vectors(count: int) -> np.ndarray:
    """As wide as slices for five micro codes need."""
    return np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
