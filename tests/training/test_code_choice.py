"""Codes chosen for the scores that decide: held against every other choice, counted by hand."""

import numpy as np
import pytest

from training import code_choice
from training.code_choice import NUM_BEST, SPREAD, Partners, chosen_codes

DIM, SIZE, LEVELS = 5, 4, 6


@pytest.fixture
def case():
    """Seventy nodes and 130 partners whose codes tell their vectors with an error."""
    rng = np.random.default_rng(0)
    x, vectors = (rng.normal(size=(count, DIM)).astype(np.float32) for count in (70, 130))
    addends = rng.normal(size=(LEVELS, SIZE, DIM)).astype(np.float32)
    codes = rng.integers(0, SIZE, (70, LEVELS)).astype(np.uint16)
    return x, codes, addends, Partners(vectors, vectors + 0.3 * rng.normal(size=vectors.shape).astype(np.float32))


def lost(x, codes, addends, partners) -> np.ndarray:
    """What is minimised, for every node, written out as it is told."""
    told = addends[np.arange(LEVELS), codes].sum(axis=1)
    errors = x @ partners.vectors.T - told @ partners.decoded.T
    best = np.argsort(-(x @ partners.vectors.T), axis=1)[:, :NUM_BEST]
    among_all = np.square((x - told) @ partners.decoded.T).mean(axis=1)
    found: np.ndarray = np.square(np.take_along_axis(errors, best, axis=1)).sum(axis=1) + SPREAD * among_all
    return found


def test_the_code_of_a_level_is_the_best_of_all(case):
    """Of one level alone: no other code of it loses less, and other levels keep theirs."""
    x, codes, addends, partners = case
    found = chosen_codes(x, codes, addends, partners, [3])
    others = [level for level in range(LEVELS) if level != 3]
    np.testing.assert_array_equal(found[:, others], codes[:, others])
    every = []
    for code in range(SIZE):
        tried = codes.copy()
        tried[:, 3] = code
        every.append(lost(x, tried, addends, partners))
    np.testing.assert_array_equal(found[:, 3], np.argmin(every, axis=0))


def test_choosing_several_levels_loses_less_for_every_node(case):
    """And never more than before, as each level's choice may stay."""
    x, codes, addends, partners = case
    found = chosen_codes(x, codes, addends, partners, [1, 2, 4, 5])
    before, after = lost(x, codes, addends, partners), lost(x, found, addends, partners)
    assert (after <= before * (1 + 1e-4)).all()
    assert after.mean() < 0.6 * before.mean()
    assert found.dtype == codes.dtype


def test_few_partners_are_all_kept(case):
    """Where there are fewer than are asked for, all count as the best."""
    x, codes, addends, partners = case
    few = Partners(partners.vectors[:3], partners.decoded[:3])
    found = chosen_codes(x, codes, addends, few, [1, 2])
    assert (lost(x, found, addends, few) <= lost(x, codes, addends, few) * (1 + 1e-4)).all()


def test_a_side_too_large_keeps_its_codes(case, monkeypatch):
    """Its time would grow beyond what a run may take."""
    x, codes, addends, partners = case
    monkeypatch.setattr(code_choice, "MOST_NODES", 69)
    np.testing.assert_array_equal(chosen_codes(x, codes, addends, partners, [1, 2, 3]), codes)
