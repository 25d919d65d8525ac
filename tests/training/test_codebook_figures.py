"""Codebook figures on labellings whose answers follow from their making."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from model_store.vocabulary import CodeMeaning
from training.codebook_figures import (
    CodebookCollapsed,
    check_usage,
    codebook_report,
    coherence,
    dependence,
    information_shared,
    recovered_factors,
    word_lift,
)
from training.config import TokenizerConfig
from training.item_texts import ItemWords
from training.residual_kmeans import residual_kmeans

RNG = np.random.default_rng(0)


def test_independent_labels_share_nothing_however_many_codes_there_are():
    """300 codes over 2,000 nodes: plain NMI is far from 0 by chance alone, the corrected one is not."""
    a, b = RNG.integers(0, 300, (2, 2000))
    assert abs(information_shared(a, b)) < 0.02


def test_a_renamed_labelling_shares_everything():
    """Codes are names: a permutation of them changes nothing; a coarser labelling shares a part."""
    a = RNG.integers(0, 50, 2000)
    assert information_shared(a, RNG.permutation(50)[a]) == pytest.approx(1)
    assert 0.5 < information_shared(a, a // 2) < 1


def test_dependence_finds_the_level_that_copies_another():
    """Of three levels, the last copies the first: only that pair is dependent."""
    first, second = RNG.integers(0, 20, (2, 1000))
    shared = dependence(np.stack([first, second, first], 1).astype(np.uint16))
    np.testing.assert_allclose(shared, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], atol=0.03)


def test_lift_counts_shared_words_by_hand():
    """The same as loops over all pairs; nodes alone in their code have no pair and do not count."""
    level = np.array([0, 0, 0, 1, 1, 2])
    present = RNG.integers(0, 2, (6, 9)).astype(float)
    shared = present @ present.T
    own = [np.mean([shared[i, j] for j in range(6) if j != i and level[j] == level[i]]) for i in range(5)]
    everywhere = np.mean([shared[i, j] for i in range(6) for j in range(6) if i != j])
    assert word_lift(level, sp.csr_matrix(present)) == pytest.approx(np.mean(own) / everywhere)


def test_lift_of_codes_that_are_words_and_of_codes_that_are_not():
    """Ten words, one a node: codes that name the word have lift 10, random codes 1, codes of one node none."""
    word = np.repeat(np.arange(10), 100)
    present = sp.csr_matrix((np.ones(1000), (np.arange(1000), word)))
    assert word_lift(word, present) == pytest.approx(10, rel=0.02)
    assert word_lift(RNG.integers(0, 10, 1000), present) == pytest.approx(1, abs=0.1)
    assert word_lift(np.arange(1000), present) is None
    assert word_lift(word, sp.csr_matrix((1000, 0))) is None


def test_coherence_of_words_that_always_never_and_sometimes_meet():
    """Two words of one text each: 1 if the texts are the same, -1 if not; independent ones 0; no words, no figure."""
    columns = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1]])  # a = b, never c; d independent of a
    words = ItemWords(("a", "b", "c", "d"), sp.csr_matrix(columns.astype(np.float32)))
    levels = tuple((CodeMeaning(names),) for names in (("a", "b"), ("a", "c"), ("a", "d"), ("a",)))
    assert coherence(levels, words) == [pytest.approx(1), -1, pytest.approx(0), None]
    everywhere = ItemWords(("a", "b"), sp.csr_matrix(np.ones((3, 2), np.float32)))
    assert coherence(((CodeMeaning(("a", "b")),),), everywhere) == [1]


def test_a_collapsed_codebook_ends_the_run():
    """The error names side, level and shares; enough usage is silence."""
    check_usage("user", [1.0, 0.5], 0.5)
    with pytest.raises(CodebookCollapsed, match=r"item codebook of level 1 .* uses 49% of its codes, under 50%"):
        check_usage("item", [1.0, 0.49], 0.5)


FACTOR_SEEDS = range(5)
RECOVERED = 0.9
"""Of a factor's information: from there on a code is that factor, but for some nodes."""


def recovered(lengths: Sequence[float], codebook_size: int, seed: int) -> int:
    """How many factors the codes of 1,024 generated nodes tell.

    A node is a sum of one of four directions of each factor, `lengths` long, and noise of .1 in each dimension.
    """
    rng, num_factors = np.random.default_rng(seed), len(lengths)
    factors = np.array([values for values in product(range(4), repeat=num_factors) for _ in range(4)])
    directions = np.linalg.qr(rng.normal(size=(4 * num_factors, 4 * num_factors)))[0].reshape(num_factors, 4, -1)
    directions -= directions.mean(1, keepdims=True)
    x = np.sum([length * directions[f, factors[:, f]] for f, length in enumerate(lengths)], axis=0)
    x = (x + rng.normal(0, 0.1, x.shape)).astype(np.float32)
    config = TokenizerConfig(codebook_size=codebook_size)
    side = residual_kmeans(x, np.ones((6, x.shape[1]), np.float32), config, seed, lambda _: None)
    return int((recovered_factors(side.encode(x), factors) >= RECOVERED).sum())


def test_the_tokenizer_recovers_most_factors_that_made_its_nodes():
    """Factors that matter less and less, with as many codes as values: 3 of 4 on average over five seeds."""
    counts = [recovered((8, 4, 2, 1), 4, seed) for seed in FACTOR_SEEDS]
    assert max(counts) == 4, counts
    assert np.mean(counts) >= 2, counts


def test_factors_that_matter_alike_are_told_together():
    """No level has a reason to tell one of them alone: fewer are recovered, and none with four codes a value."""
    alike = [recovered((1, 1, 1, 1), 4, seed) for seed in FACTOR_SEEDS]
    assert np.mean(alike) <= 2, alike
    assert recovered((1, 1, 1, 1), 16, 0) == 0


def test_the_report_of_known_codes():
    """Four codes used evenly: usage and perplexity are theirs; one code for all has perplexity 1."""
    codes = np.array([[0, 3], [1, 3], [2, 3], [3, 3], [0, 3], [1, 3], [2, 3], [3, 3]], np.uint16)
    report = codebook_report(codes, 8)
    assert report["usage"] == [0.5, 0.125]
    assert report["perplexity"] == pytest.approx([4, 1])
    assert report["unique"] == 0.5
