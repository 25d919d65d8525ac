"""The style: it starts as an example."""

from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import CHAT, HIDDEN_SIZE, tiny_language_model
from training.style import example_of, example_prompt, style_start


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


def test_the_example_is_typical_and_as_long_as_asked(llm):
    """Of texts of five tokens, the one in the words of most; a rarer one that comes first is not taken."""
    texts = ["x y z", "so it", "so it is", "it so", "so it"]
    assert example_of(texts, 5, PromptEncoder.open(llm), lambda row: 0) == 1


def test_of_typical_texts_the_one_that_says_most_is_taken(llm):
    """What it says of its tokens counts before how typical it is; a text of another length says nothing."""
    texts = ["x y z", "so it", "so it is", "it so", "so it"]
    said = {0: 1, 1: 1, 2: 9, 3: 2, 4: 1}
    assert example_of(texts, 5, PromptEncoder.open(llm), said.__getitem__) == 3


def test_without_a_text_of_the_length_the_most_typical_is_taken(llm):
    assert example_of(["x y", "so it", "it so"], 14, PromptEncoder.open(llm), lambda row: 0) == 1


@pytest.mark.parametrize("answer_length", [3, 5, 14])
def test_the_style_starts_as_a_question_about_a_pair_and_its_answer(llm, answer_length):
    """The pair's tokens stand between the words of a prompt, its text after them: cut, whole, or begun anew."""
    encoder, table = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    example = example_prompt(encoder, CHAT, answer_length, 2)
    user, item = (np.full((2, HIDDEN_SIZE), value, np.float32) for value in (1.0, 2.0))
    start = style_start("so it", (user, item), example, encoder, table)
    assert start.shape == (len(example.token_ids), HIDDEN_SIZE)
    np.testing.assert_array_equal(start[example.slots["user"]], user)
    np.testing.assert_array_equal(start[example.slots["item"]], item)
    whole = table.rows(encoder.encode_text("so it", trusted=False))
    np.testing.assert_array_equal(start[-answer_length:], np.concatenate([whole] * 3)[:answer_length])
    asked = table.rows(encoder.encode_text(f"{CHAT.before_user}User:", trusted=True))
    np.testing.assert_array_equal(start[: len(asked)], asked)
