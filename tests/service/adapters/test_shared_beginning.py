"""What prompts begin with in common, and which are read together."""

import numpy as np
import pytest

from service.adapters.shared_beginning import batches, common_length


def _prompt(*first_of_rows: float) -> np.ndarray:
    return np.array([[value, 1.0] for value in first_of_rows], np.float32)


@pytest.mark.parametrize(
    ("prompts", "length"),
    [
        ([(1, 2, 3), (1, 2, 4), (1, 2, 3, 4)], 2),
        ([(1, 2), (3, 2)], 0),
        ([(1, 2), (1, 2, 3)], 1),  # one position of each must be left
        ([(1, 2), (1, 2)], 1),
        ([(1,), (1,)], 0),
        ([(1, 2, 3)], 0),  # nobody to share with
    ],
)
def test_what_all_begin_with_is_shared_and_never_a_whole_prompt(prompts, length):
    """Up to the first position where any two differ."""
    assert common_length([_prompt(*prompt) for prompt in prompts]) == length


def test_a_batch_of_padded_prompts_holds_at_most_so_many_positions():
    """Any lengths: each is in one batch, whose longest times its number is within the bound, or which is one alone."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths, positions = rng.integers(1, 40, size=rng.integers(1, 30)).tolist(), int(rng.integers(1, 200))
        groups = batches(lengths, positions=positions)
        assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
        for group in groups:
            assert len(group) == 1 or max(lengths[index] for index in group) * len(group) <= positions
        if max(lengths) * len(lengths) <= positions:
            assert len(groups) == 1
