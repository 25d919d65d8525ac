"""The style: it starts as examples."""

from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import CHAT, HIDDEN_SIZE, tiny_language_model
from training.style import example_prompt, example_start, examples_of


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


TEXTS = ["x y z", "so it", "so it is", "it so", "so it"]


def rows_of(llm: Path, count: int, length: int, said=lambda row: 0) -> list[int]:
    """Which of TEXTS are examples."""
    return examples_of(TEXTS, count, length, PromptEncoder.open(llm), said)


def test_examples_are_typical_and_as_long_as_asked(llm):
    """Of texts of five tokens, those in the words of most; a rarer one that comes first is taken last."""
    assert rows_of(llm, 3, 5) == [1, 3, 0]


def test_of_typical_texts_those_that_say_most_are_taken(llm):
    """What they say of their tokens counts before how typical they are; a text of another length says nothing."""
    assert rows_of(llm, 2, 5, {0: 1, 1: 1, 2: 9, 3: 2, 4: 1}.__getitem__) == [3, 1]


def test_the_most_typical_stand_in_where_lengths_do_not_fit(llm):
    """Most typical is what says the most words of all; no text twice before all have been taken."""
    assert rows_of(llm, 1, 14) == [2]
    assert rows_of(llm, 6, 14) == [2, 1, 3, 0, 2, 1]


@pytest.mark.parametrize("answer_length", [3, 5, 14])
def test_an_example_is_a_question_about_a_pair_and_its_answer(llm, answer_length):
    """The pair's tokens stand between the words of a prompt, its text after them: cut, whole, or begun anew."""
    encoder, table = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    example = example_prompt(encoder, CHAT, answer_length, 2)
    user, item = (np.full((2, HIDDEN_SIZE), value, np.float32) for value in (1.0, 2.0))
    start = example_start("so it", (user, item), example, encoder, table)
    assert start.shape == (len(example.token_ids), HIDDEN_SIZE)
    np.testing.assert_array_equal(start[example.slots["user"]], user)
    np.testing.assert_array_equal(start[example.slots["item"]], item)
    whole = table.rows(encoder.encode_text("so it", trusted=False))
    np.testing.assert_array_equal(start[-answer_length:], np.concatenate([whole] * 3)[:answer_length])
    asked = table.rows(encoder.encode_text(f"{CHAT.before_user}User:", trusted=True))
    np.testing.assert_array_equal(start[: len(asked)], asked)
