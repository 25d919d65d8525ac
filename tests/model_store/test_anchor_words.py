"""Anchor words laid side by side into a node's positions."""

import numpy as np
import pytest

from model_store.anchor_words import AnchorWords

SIZES = (1, 3, 2, 4)
"""Tokens of each word. Every token's embedding is its number, so that they can be told apart."""


def words() -> AnchorWords:
    numbers = np.arange(sum(SIZES), dtype=np.float32)[:, None]
    return AnchorWords.of(np.split(numbers, np.cumsum(SIZES)[:-1]), 1)


@pytest.mark.parametrize(
    ("chosen", "count", "laid"),
    [
        ([1, 0, 2], 6, [1, 2, 3, 0, 4, 5]),  # all fit
        ([1, 0, 2], 5, [1, 2, 3, 0, 1]),  # the third does not: the first begins again
        ([1, 0, 2], 9, [1, 2, 3, 0, 4, 5, 1, 2, 3]),
        ([3, 0], 3, [6, 7, 8]),  # a first word that is too long is cut, and no later one takes its place
        ([0], 3, [0, 0, 0]),
    ],
)
def test_whole_words_fill_the_positions(chosen, count, laid):
    found = words().laid(np.array([chosen]), count)
    assert found[0, :, 0].tolist() == laid


def test_every_node_has_its_own():
    chosen = np.random.default_rng(0).permuted(np.tile(np.arange(4), (20, 1)), axis=1)
    together = words().laid(chosen, 7)
    assert together.shape == (20, 7, 1)
    for row in range(20):
        np.testing.assert_array_equal(together[row], words().laid(chosen[row : row + 1], 7)[0])


def test_words_that_have_room_are_counted():
    assert words().fitting(np.array([[1, 0, 2], [3, 1, 0], [0, 2, 1]]), 4).tolist() == [2, 1, 2]


def test_no_words_are_zeros():
    none = AnchorWords.of([], 5)
    assert len(none) == 0
    found = none.laid(np.zeros((3, 0), np.int64), 4)
    assert found.shape == (3, 4, 5)
    assert not found.any()


@pytest.mark.parametrize("starts", [[0, 2, 2, 4], [0, 3, 2, 4], [1, 4], [0, 3], [0, 5], []])
def test_starts_that_do_not_cut_the_tokens_into_words_are_refused(starts):
    with pytest.raises(ValueError, match="word_starts"):
        AnchorWords(np.zeros((4, 2), np.float32), np.array(starts, np.int64))
