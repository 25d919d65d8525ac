"""The style: where it starts."""

from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from training.style import style_start


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


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
