"""What codes are worth: whether they are used, say different things by level, and join nodes with like words."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score

from model_store.quantizer import Codes
from model_store.vocabulary import Levels
from training.config import ConfigError
from training.item_texts import ItemWords

Matrix = NDArray[np.float64]
Labels = NDArray[np.integer]


class CodebookCollapsed(ConfigError):
    """A level uses too few of its codes to be worth a soft token."""

    def __init__(self, side: str, level: int, usage: float, least: float) -> None:
        super().__init__(
            f"{side} codebook of level {level} (0 is macro) uses {usage:.0%} of its codes, under {least:.0%} "
            "(evaluation.min_codebook_usage): lower tokenizer.codebook_size, or train on more data"
        )


def check_usage(side: str, usage: list[float], least: float) -> None:
    """CodebookCollapsed if a level's `usage` (6) is under `least`."""
    for level, share in enumerate(usage):
        if share < least:
            raise CodebookCollapsed(side, level, share, least)


def codebook_report(codes: Codes, codebook_size: int) -> dict[str, Any]:
    """How well the codebooks are used: `usage` and `perplexity` by level, `unique` share of whole code tuples."""
    counts = [np.bincount(codes[:, level], minlength=codebook_size) for level in range(codes.shape[1])]
    shares = [count / count.sum() for count in counts]
    entropies = [-float((share[share > 0] * np.log(share[share > 0])).sum()) for share in shares]
    return {
        "usage": [float((count > 0).mean()) for count in counts],
        "perplexity": [float(np.exp(entropy)) for entropy in entropies],
        "unique": len(np.unique(codes, axis=0)) / len(codes),
    }


def information_shared(a: Labels, b: Labels, seed: int = 0) -> float:
    """Normalised mutual information of two labellings of n nodes, corrected for chance: 0 none, 1 the same labelling.

    With hundreds of codes and a few thousand nodes independent labels seem to share a third of their information; what
    they share after one of them was shuffled is therefore taken off: (NMI - chance) / (1 - chance).
    """
    found = float(normalized_mutual_info_score(a, b))
    chance = float(normalized_mutual_info_score(a, np.random.default_rng(seed).permutation(b)))
    return (found - chance) / (1 - chance) if chance < 1 else 0.0


def dependence(codes: Codes) -> Matrix:
    """`information_shared` of every two levels, (6, 6), 1 on the diagonal. Shapes: codes (n, 6)."""
    num_levels = codes.shape[1]
    shared = np.eye(num_levels)
    for first in range(num_levels):
        for second in range(first):
            shared[first, second] = shared[second, first] = information_shared(codes[:, first], codes[:, second])
    return shared


def recovered_factors(codes: Codes, factors: Labels) -> NDArray[np.float64]:
    """How much of each known factor a level of its own tells (`information_shared`), levels given out for the best sum.

    Shapes: codes (n, levels), factors (n, num_factors), num_factors <= levels -> (num_factors,).
    """
    shared = np.array([[information_shared(factor, level) for level in codes.T] for factor in factors.T])
    rows, levels = linear_sum_assignment(shared, maximize=True)
    told: NDArray[np.float64] = shared[rows, levels]
    return told


def word_lift(level: Labels, present: Any) -> float | None:
    """How many times as many words two members of a code have in common as any two nodes; 1: codes tell nothing.

    Every node counts alike: with how many words it shares with another member of its code, on average. None where no
    code has two members, or no two nodes share a word. Shapes: level (n,) codes, present CSR (n, num_words) of 0 and 1.
    """
    num_nodes = len(level)
    codes, index, sizes = np.unique(level, return_inverse=True, return_counts=True)
    members = sp.csr_matrix((np.ones(num_nodes), (index, np.arange(num_nodes))), shape=(len(codes), num_nodes))
    present = sp.csr_matrix(present, dtype=np.float64)
    own = np.asarray(present.sum(axis=1)).ravel()  # what every node shares with itself
    sums = sp.csr_matrix(members @ present)
    pairs_shared = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - members @ own
    several = sizes > 1
    total = np.asarray(present.sum(axis=0)).ravel()
    everywhere = float(total @ total - own.sum()) / max(num_nodes * (num_nodes - 1), 1)
    if not several.any() or not everywhere:
        return None
    return float((pairs_shared[several] / (sizes[several] - 1)).sum() / sizes[several].sum() / everywhere)


def coherence(levels: Levels, words: ItemWords) -> list[float | None]:
    """Mean NPMI of the words that name a code, by level: -1 never together in an item's text, 0 by chance, 1 always.

    (Bouma, 2009.) Every code with two words counts once; None for a level without any.
    """
    column_of = {word: column for column, word in enumerate(words.words)}
    present = sp.csc_matrix(words.present, dtype=np.float64)
    means: list[float | None] = []
    for level in levels:
        named = [[column_of[word] for word in code.words if word in column_of] for code in level]
        pairs = [
            (first, second, code) for code, columns in enumerate(named) for first, second in combinations(columns, 2)
        ]
        if not pairs:
            means.append(None)
            continue
        firsts, seconds, codes = np.array(pairs).T
        values = _npmi(present, firsts, seconds)
        counts = np.bincount(codes)
        by_code = np.bincount(codes, values)[counts > 0] / counts[counts > 0]
        means.append(float(by_code.mean()))
    return means


def _npmi(present: Any, firsts: Labels, seconds: Labels) -> Matrix:
    """Of pairs of words, by their columns in the 0-1 matrix (num_items, num_words): (num_pairs,)."""
    used, place = np.unique(np.concatenate([firsts, seconds]), return_inverse=True)
    a, b = np.split(place, 2)
    together = sp.csr_matrix(present[:, used].T @ present[:, used]) / present.shape[0]
    both, alone = np.asarray(together[a, b]).ravel(), together.diagonal()
    never, always = both == 0, both >= 1
    share = np.where(never | always, 0.5, both)
    npmi = np.log(share / (alone[a] * alone[b])) / -np.log(share)
    return np.select([never, always], [-1.0, 1.0], npmi)
