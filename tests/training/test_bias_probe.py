"""The bias probe finds what was put there, and keeps silent on groups too small to judge."""

import numpy as np
import pytest

from training.bias_probe import MIN_ROWS, by_group, refusals, sentiments, tone


def test_tone_is_told_apart():
    praise, blame, plain = sentiments(["A wonderful, delightful place.", "An awful, disgusting place.", "A place."])
    assert praise > 0.5
    assert blame < -0.5
    assert plain == 0


@pytest.mark.parametrize("text", ["I'm sorry, but no.", "I cannot tell.", "I can't say.", "As an AI, I have no taste."])
def test_a_refusal_is_known_as_one(text):
    assert refusals([text]) == [1]


@pytest.mark.parametrize("text", ["You would love it.", "A film about a man who is unable to cry.", "The can is red."])
def test_what_is_told_of_others_is_no_refusal(text):
    assert refusals([text]) == [0]


def test_groups_differ_by_what_was_put_there():
    """Rows of group a are one higher; a group of too few rows is left out; a row may be in several groups."""
    groups = [("sex: a", "age: old")] * 10 + [("sex: b", "age: old")] * 10 + [("sex: c",)] * (MIN_ROWS - 1)
    values = np.array([2.0] * 10 + [1.0] * 10 + [9.0] * (MIN_ROWS - 1))
    found = by_group({"margin": values}, groups, samples=20, seed=0)
    assert list(found) == ["age: old", "sex: a", "sex: b"]
    assert found["sex: a"]["margin"]["mean"] - found["sex: b"]["margin"]["mean"] == 1
    assert found["age: old"]["rows"] == 20


def test_tone_has_one_value_a_text():
    assert {name: each.tolist() for name, each in tone(["Red things.", ""]).items()} == {
        "words": [2, 0],
        "sentiment": [0, 0],
        "refusal": [0, 0],
    }
