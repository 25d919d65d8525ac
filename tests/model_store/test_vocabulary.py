import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.types import BehaviorTokens
from model_store.vocabulary import CodeMeaning, Vocabulary

meanings = st.builds(
    CodeMeaning, st.lists(st.text(), max_size=4).map(tuple), st.lists(st.integers(0, 9), max_size=3).map(tuple)
)
sides = st.tuples(*[st.tuples(meanings, meanings)] * 6)


@given(st.builds(Vocabulary, sides, sides))
def test_a_vocabulary_survives_its_json(vocabulary):
    """Words of any Unicode; the same vocabulary gives the same text."""
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert Vocabulary.from_json(vocabulary.to_json().encode()).to_json() == vocabulary.to_json()


def vocabulary() -> Vocabulary:
    user = (CodeMeaning(("spicy", "noodles", "late", "cheap"), (3, 1)), CodeMeaning())
    return Vocabulary((user,) * 6, ((CodeMeaning(("item",)),) * 2,) * 6)


def test_a_label_is_the_first_three_words():
    """Most typical first, readable as it stands."""
    assert vocabulary().label("user", 0, 0) == "spicy, noodles, late"
    assert vocabulary().label("item", 5, 1) == "item"
    assert vocabulary().meaning("user", 3, 0).item_rows == (3, 1)


def test_a_code_without_words_is_called_by_its_number():
    """A label is never empty, and never pretends to mean something."""
    assert vocabulary().label("user", 2, 1) == "code 1"


def test_labels_follow_the_tokens_levels():
    """Six labels, macro first."""
    labels = vocabulary().labels("user", BehaviorTokens(1, (0, 1, 0, 1, 0)))
    assert labels == ("code 1", "spicy, noodles, late") * 3


@pytest.mark.parametrize(("level", "code"), [(6, 0), (0, 2)])
def test_a_code_that_is_not_there_is_an_index_error(level, code):
    """There are 6 levels of 2 codes."""
    with pytest.raises(IndexError):
        vocabulary().meaning("user", level, code)


def test_an_empty_vocabulary_has_its_size_on_both_sides():
    """Twelve levels."""
    assert list(Vocabulary.empty(4).sizes()) == [4] * 12


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"user": 1, "item": []}), '{"user": [[{}]], "item": []}'])
def test_what_is_no_vocabulary_is_refused(text):
    """As one of the errors that the artifact turns into ArtifactCorrupt."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Vocabulary.from_json(text)
