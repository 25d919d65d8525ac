"""Decode tables of vectors whose making is known."""

import numpy as np
import pytest

from model_store.behavior_tokenizer import SideTokenizer
from model_store.quantizer import MacroQuantizer, MicroQuantizer, summed
from training.decode_table import decode_table

LEVELS, SIZE, DIM = 6, 4, 5


@pytest.fixture
def made():
    """A table, codes at random, and the sums that they make: (table, codes, x)."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(LEVELS, SIZE, DIM)).astype(np.float32)
    codes = rng.integers(0, SIZE, (3000, LEVELS)).astype(np.uint16)
    return table, codes, summed(table, codes)


def side(codebooks: np.ndarray) -> SideTokenizer:
    return SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(codebooks[1:]))


def test_sums_are_decoded_whatever_the_codewords_are(made):
    """From codewords of zero the fitted table gives the vectors back, but for the pull; greedy codewords would not."""
    table, codes, x = made
    found = decode_table(x, codes, side(np.zeros_like(table)), np.ones(len(x)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(summed(found, codes), x, atol=0.05)


def test_a_code_of_nobody_keeps_its_codeword(made):
    """What no node has cannot be fitted."""
    table, codes, x = made
    codes = np.minimum(codes, SIZE - 2)
    found = decode_table(x, codes, side(table), np.ones(len(x)))
    np.testing.assert_allclose(found[:, -1], table[:, -1], rtol=1e-6)


def test_nodes_that_count_more_are_decoded_better(made):
    """Of noisy vectors with the same codes each half is decoded best where it weighs most."""
    table, codes, x = made
    x = x + np.where(np.arange(len(x))[:, None] % 2, 1, -1).astype(np.float32)
    errors = []
    for weight in (1, 100):
        found = decode_table(x, codes, side(table), np.where(np.arange(len(x)) % 2, weight, 1))
        errors.append(np.square(summed(found, codes) - x)[1::2].mean())
    assert errors[1] < 0.1 * errors[0]


def test_many_codes_are_fitted_alike(made):
    """By iteration, as where the normal equations would not fit into memory, the table is the same."""
    table, codes, x = made
    codebooks, weights = side(np.zeros_like(table)), np.arange(1, len(x) + 1)
    direct = decode_table(x, codes, codebooks, weights)
    np.testing.assert_allclose(decode_table(x, codes, codebooks, weights, most_direct=0), direct, atol=2e-3)
