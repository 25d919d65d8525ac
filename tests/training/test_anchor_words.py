"""Words that codes point to, in the word space of a tiny LLM with one token a byte."""

from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder
from model_store.soft_tokens import AnchorWords
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from training.anchor_words import anchor_words
from training.item_texts import ItemWords, text_vectors

LENGTH = 1.7
TOPICS = (
    ("tacos", "salsa", "mexican", "burrito"),
    ("sushi", "salmon", "japanese", "ramen"),
    ("pizza", "pasta", "oven", "basil"),
    ("coffee", "espresso", "pastry", "latte"),
    ("burger", "fries", "shake", "ketchup"),
    ("curry", "naan", "masala", "lentils"),
)


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


def documents() -> list[str]:
    """Forty items of each topic with three of its four words."""
    rng = np.random.default_rng(0)
    return [" and ".join(rng.permutation(topic)[:3]) for topic in TOPICS for _ in range(40)]


def anchors(llm: Path, *, least: int = 3) -> tuple[AnchorWords, np.ndarray]:
    said = ItemWords.of_documents(documents())
    texts = text_vectors(said, dim=18, length=0.5, seed=0)
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    return anchor_words(said, texts, encoder, embeddings, length=LENGTH, least=least), texts


def words_of(found: AnchorWords, row: int, llm: Path) -> str:
    """The word whose embedding stands in a row."""
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    every = [word for topic in TOPICS for word in topic]
    means = [embeddings.rows(encoder.encode_text(f" {word}", trusted=False)).mean(axis=0) for word in every]
    cosines = [mean @ found.embeddings[row] / np.linalg.norm(mean) for mean in means]
    return every[int(np.argmax(cosines))]


def test_texts_point_to_their_own_words(llm):
    """The three best words of nearly every item stand in its text, and all of them belong to its topic."""
    found, texts = anchors(llm)
    best, told = found.best(texts, 3), documents()
    names = {row: words_of(found, row, llm) for row in range(len(found.bias))}
    hits = [names[row] in told[item] for item in range(len(told)) for row in best[item]]
    assert np.mean(hits) > 0.9
    assert all(names[row] in TOPICS[item // 40] for item in range(len(told)) for row in best[item])


def test_all_words_have_the_length_asked_for(llm):
    found, _ = anchors(llm)
    assert found.embeddings.shape == (24, HIDDEN_SIZE)
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), LENGTH, rtol=1e-5)


def test_a_text_that_says_nothing_points_to_the_commonest_words(llm):
    """The mean vector's scores are the words' mean weights: the regression adds nothing of its own."""
    found, texts = anchors(llm)
    mean = texts.mean(axis=0)
    scores = mean @ found.keys + found.bias
    assert scores.min() > 0
    assert scores.max() < 2 * scores.min()


def test_too_few_words_are_none(llm):
    """Fewer words than soft tokens would leave some of them empty: then they are learned without."""
    found, texts = anchors(llm, least=25)
    assert found.embeddings.shape == (0, HIDDEN_SIZE)
    assert found.of(texts, 4).shape == (len(texts), 4, HIDDEN_SIZE)
