"""Anchors in the word space of a tiny LLM with one token a byte: a word's embedding is the mean of its bytes'."""

from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from model_store.vocabulary import CodeMeaning, Levels
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from training.word_anchors import style_start, word_anchors

LENGTH = 1.7


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


@pytest.fixture
def anchors_of(llm):
    def anchors(*words: tuple[str, ...], num_words: int = 3) -> np.ndarray:
        levels: Levels = (tuple(CodeMeaning(each) for each in words),)
        encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
        (level,) = word_anchors(levels, encoder, embeddings, num_words=num_words, length=LENGTH)
        return np.asarray(level)

    return anchors


def test_a_code_stands_at_the_mean_of_its_words(anchors_of, llm):
    """Each word counts once, however many tokens it has; a space goes before it."""
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    means = [embeddings.rows(encoder.encode_text(text, trusted=True)).mean(axis=0) for text in (" red", " crimson")]
    mean = (means[0] + means[1]) / 2
    np.testing.assert_allclose(anchors_of(("red", "crimson"))[0], mean / np.linalg.norm(mean) * LENGTH, rtol=1e-4)


def test_all_anchors_have_the_length_asked_for(anchors_of):
    """One word or three; a code without words is at zero, and no value is NaN."""
    lengths = np.linalg.norm(anchors_of(("red",), ("red", "blue", "amber"), ()), axis=1)
    np.testing.assert_allclose(lengths, [LENGTH, LENGTH, 0], rtol=1e-5)


def test_only_the_first_words_count(anchors_of):
    """With `num_words` 1 the second word changes nothing, with 2 it does."""
    one = anchors_of(("red", "blue"), ("red", "amber"), num_words=1)
    np.testing.assert_array_equal(one[0], one[1])
    two = anchors_of(("red", "blue"), ("red", "amber"), num_words=2)
    assert not np.allclose(two[0], two[1])


def test_the_style_starts_at_the_most_typical_text_of_its_length(llm):
    """Of texts of five tokens, the one in the words of most; a rarer one that comes first is not taken."""
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    texts = ["x y z", "so it", "so it is", "it so", "so it"]
    expected = embeddings.rows(encoder.encode_text("so it", trusted=True))
    np.testing.assert_array_equal(style_start(texts, 5, encoder, embeddings), expected)


@pytest.mark.parametrize("num_style", [3, 14])
def test_a_style_of_another_length_is_cut_or_repeated(llm, num_style):
    """Where no text is as long as the style, the most typical one begins anew or is broken off."""
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    whole = embeddings.rows(encoder.encode_text("so it", trusted=True))
    expected = np.concatenate([whole, whole, whole])[:num_style]
    found = style_start(["so it", "so it"], num_style, encoder, embeddings)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (num_style, HIDDEN_SIZE)
