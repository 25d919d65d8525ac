"""Meanings of codes whose members have one colour."""

import numpy as np
import scipy.sparse as sp

from training.code_meanings import NUM_ITEMS as MOST_ITEMS
from training.code_meanings import code_meanings, readable
from training.item_texts import ItemWords

NUM_ITEMS = 8
WORDS = ItemWords(
    ("red", "blue", "thing"),
    sp.csr_matrix(np.array([[row % 2 == 0, row % 2 == 1, 1] for row in range(NUM_ITEMS)], np.float32)),
)
"""Even items are red, odd ones blue, all are things."""


def codes_of(*level: list[int]) -> np.ndarray:
    return np.array(level, np.uint16).T


def test_two_colours_of_items_are_two_codes_named_by_their_words():
    """Code 0 holds the red items and is "red", code 1 the blue ones; what both share names no code."""
    codes = codes_of([0, 1] * 4, [0] * 8)
    macro, second = code_meanings(codes, sp.identity(NUM_ITEMS, format="csr"), WORDS, 3)
    assert [meaning.words for meaning in macro] == [("red",), ("blue",), ()]
    assert [row % 2 for row in macro[0].item_rows] == [0] * MOST_ITEMS
    assert [row % 2 for row in macro[1].item_rows] == [1] * MOST_ITEMS
    assert macro[2].item_rows == ()
    assert second[0].words == ()  # a code of everybody stands out by nothing


def test_users_are_named_by_their_histories():
    """The members of user code 1 have had blue items, item 3 more often than others: that is its first item."""
    histories = np.zeros((4, NUM_ITEMS), np.float32)
    histories[0, [0, 2]], histories[1, [0, 4]] = 1, 1
    histories[2, [1, 3]], histories[3, [3, 5]] = 1, 1
    (macro,) = code_meanings(codes_of([0, 0, 1, 1]), sp.csr_matrix(histories), WORDS, 2)
    assert (macro[0].words, macro[1].words) == (("red",), ("blue",))
    assert (macro[0].item_rows[0], macro[1].item_rows[0]) == (0, 3)


def test_a_long_history_does_not_outvote_short_ones():
    """Each member counts once: two users of one red item each outweigh one of three blue items."""
    histories = np.zeros((4, NUM_ITEMS), np.float32)
    histories[0, 0] = histories[1, 0] = 1
    histories[2, [1, 3, 5]] = 1
    histories[3, [1, 3, 5, 7]] = 1
    (macro,) = code_meanings(codes_of([0, 0, 0, 1]), sp.csr_matrix(histories), WORDS, 2)
    assert macro[0].words[0] == "red"
    assert macro[0].item_rows[0] == 0


def test_an_empty_history_says_nothing():
    """A code whose only member has had nothing has no meaning, and no division by zero."""
    histories = sp.csr_matrix(np.eye(2, NUM_ITEMS, dtype=np.float32)[[0, 0]] * [[1], [0]])
    (macro,) = code_meanings(codes_of([0, 1]), histories, WORDS, 2)
    assert (macro[1].words, macro[1].item_rows) == ((), ())


def test_a_label_does_not_repeat_itself():
    """A phrase takes the place of its words wherever they stand; words of their own stay, in order."""
    words = ("thai", "food", "thai food", "spicy", "late night", "night", "spicy thai food")
    named = {
        tuple(order): [words[column] for column in readable(order, words)] for order in ([0, 3, 1, 2], [2, 0, 1, 4, 5])
    }
    assert named == {(0, 3, 1, 2): ["thai food", "spicy"], (2, 0, 1, 4, 5): ["thai food", "late night"]}
    assert readable([3, 2, 6], words) == [6]


def test_codes_are_named_by_phrases():
    """Where red things are all "bright red" things, the phrase names the code, not its words."""
    present = np.array([[row % 2 == 0, row % 2 == 0, row % 2 == 0, row % 2] for row in range(NUM_ITEMS)], np.float32)
    words = ItemWords(("red", "bright", "bright red", "blue"), sp.csr_matrix(present))
    (macro,) = code_meanings(codes_of([0, 1] * 4), sp.identity(NUM_ITEMS, format="csr"), words, 2)
    assert [meaning.words for meaning in macro] == [("bright red",), ("blue",)]
