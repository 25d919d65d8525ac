import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.quantizer import MacroQuantizer, MicroQuantizer

seeds = st.integers(0, 2**32 - 1)


def brute_force(x, codebook):
    """Nearest codeword by the definition, in double precision."""
    return ((x[:, None].astype(float) - codebook[None].astype(float)) ** 2).sum(-1).argmin(-1)


@settings(max_examples=25)
@given(seeds, st.integers(1, 40), st.integers(1, 24), st.integers(1, 16))
def test_macro_codes_are_the_nearest_codewords(seed, n, codebook_size, dim):
    """The product form of the distance finds what the definition finds."""
    rng = np.random.default_rng(seed)
    x, codebook = (rng.normal(size=(rows, dim)).astype(np.float32) for rows in (n, codebook_size))
    np.testing.assert_array_equal(MacroQuantizer(codebook).encode(x), brute_force(x, codebook))


@settings(max_examples=25)
@given(seeds, st.integers(1, 24), st.integers(1, 16))
def test_a_codeword_is_encoded_as_itself(seed, codebook_size, dim):
    """decode(codes) is a fixed point: encode(decode(codes)) == codes, for distinct codewords."""
    codebook = np.random.default_rng(seed).normal(size=(codebook_size, dim)).astype(np.float32)
    codes = np.arange(codebook_size)
    quantizer = MacroQuantizer(codebook)
    np.testing.assert_array_equal(quantizer.encode(quantizer.decode(codes)), codes)


@settings(max_examples=25)
@given(seeds, st.integers(1, 30))
def test_micro_codes_are_greedy_level_after_level(seed, n):
    """Each level takes the codeword nearest to what the levels before it left (arXiv:2107.03312, algorithm 1)."""
    rng = np.random.default_rng(seed)
    x, codebooks = rng.normal(size=(n, 7)).astype(np.float32), rng.normal(size=(5, 16, 7)).astype(np.float32)
    codes = MicroQuantizer(codebooks).encode(x)
    left = x
    for level, codebook in enumerate(codebooks):
        np.testing.assert_array_equal(codes[:, level], brute_force(left, codebook))
        left = left - codebook[codes[:, level]]


@settings(max_examples=25)
@given(seeds, st.integers(1, 30))
def test_levels_compare_through_their_weights(seed, n):
    """Nearest by weighted differences; what is left for the next level is the whole residual."""
    rng = np.random.default_rng(seed)
    x, codebooks = rng.normal(size=(n, 7)).astype(np.float32), rng.normal(size=(5, 16, 7)).astype(np.float32)
    weights = (rng.uniform(0.5, 2, (5, 7)) * (rng.random((5, 7)) < 0.7)).astype(np.float32)
    weights[:, 0] = 1
    macro = MacroQuantizer(codebooks[0], weights[0]).encode(x)
    np.testing.assert_array_equal(macro, brute_force(x * weights[0], codebooks[0] * weights[0]))
    codes = MicroQuantizer(codebooks, weights).encode(x)
    left = x
    for level, codebook in enumerate(codebooks):
        np.testing.assert_array_equal(codes[:, level], brute_force(left * weights[level], codebook * weights[level]))
        left = left - codebook[codes[:, level]]


def test_micro_decode_is_the_sum_of_the_codewords():
    """One codeword a level, added up."""
    codebooks = np.random.default_rng(0).normal(size=(5, 8, 3)).astype(np.float32)
    codes = np.array([[0, 1, 2, 3, 4], [7, 7, 7, 7, 7]])
    expected = [sum(codebooks[level, code] for level, code in enumerate(row)) for row in codes]
    np.testing.assert_allclose(MicroQuantizer(codebooks).decode(codes), expected, rtol=1e-6)


@settings(max_examples=20)
@given(seeds, st.sampled_from([1, 2, 3, 17, 1023, 1024, 1025, 2050]))
def test_a_batch_answers_as_its_rows_do_alone(seed, n):
    """Also where codewords are almost or exactly the same and a matrix product's rounding would decide."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=(16, 33)).astype(np.float32)
    codebook[8:] = codebook[:8] + rng.choice([0, 1e-7], size=(8, 33)).astype(np.float32)
    x = rng.normal(size=(n, 33)).astype(np.float32)
    quantizer = MicroQuantizer(np.stack([codebook] * 5))
    rows = rng.integers(0, n, 20)
    alone = np.concatenate([quantizer.encode(x[row : row + 1]) for row in rows])
    np.testing.assert_array_equal(quantizer.encode(x)[rows], alone)


def test_equal_codewords_are_taken_by_their_first_code():
    """A tie has one answer."""
    quantizer = MacroQuantizer(np.ones((4, 2), np.float32))
    np.testing.assert_array_equal(quantizer.encode(np.zeros((3, 2), np.float32)), [0, 0, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad):
    """It has no nearest codeword."""
    x = np.array([[0, bad]], np.float32)
    with pytest.raises(ValueError, match="finite"):
        MacroQuantizer(np.ones((4, 2), np.float32)).encode(x)
    with pytest.raises(ValueError, match="finite"):
        MicroQuantizer(np.ones((5, 4, 2), np.float32)).encode(x)


def test_no_vectors_have_no_codes():
    """An empty batch is a batch."""
    assert MacroQuantizer(np.ones((4, 2), np.float32)).encode(np.empty((0, 2), np.float32)).shape == (0,)
    assert MicroQuantizer(np.ones((5, 4, 2), np.float32)).encode(np.empty((0, 2), np.float32)).shape == (0, 5)


def test_encoding_needs_memory_for_a_chunk_only():
    """100,000 nodes against 512 codewords would be 205 MB of scores at once; a few chunks of them are held."""
    rng = np.random.default_rng(0)
    x, codebook = rng.normal(size=(100_000, 8)).astype(np.float32), rng.normal(size=(512, 8)).astype(np.float32)
    tracemalloc.start()
    MacroQuantizer(codebook).encode(x)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000_000
