"""The k-core against one of sets that loses a node at a time, and on a chain that unravels."""

import numpy as np
import pytest

from training.data import Pairs
from training.data.imports.k_core import k_core


def pairs_of(*pairs: tuple[int, int]) -> Pairs:
    users, items = np.array(pairs, np.int64).T
    return Pairs(users, items)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_the_core_is_that_of_the_bipartite_graph(k, seed):
    """Random graphs, with pairs that come twice: whoever has fewer than k neighbours goes, one after the other."""
    random = np.random.default_rng(seed)
    pairs = Pairs(random.integers(0, 30, 150), random.integers(0, 25, 150))
    core = k_core(pairs, 30, 25, k)
    edges = {(("u", u), ("i", i)) for u, i in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)}
    while poor := [node for node in {n for edge in edges for n in edge} if sum(node in edge for edge in edges) < k]:
        edges = {edge for edge in edges if poor[0] not in edge}
    found = {("u", row) for row in np.flatnonzero(core.users)} | {("i", row) for row in np.flatnonzero(core.items)}
    assert found == {node for edge in edges for node in edge}


def test_a_chain_has_no_core_of_two():
    """Every end that goes makes another end."""
    core = k_core(pairs_of((0, 0), (1, 0), (1, 1), (2, 1), (2, 2)), 3, 3, 2)
    assert not core.users.any()
    assert not core.items.any()


def test_pairs_that_come_twice_count_once():
    """One user with one item, twenty times, is no core of two."""
    core = k_core(pairs_of(*[(0, 0)] * 20, *[(u, i) for u in (1, 2) for i in (1, 2)]), 3, 3, 2)
    np.testing.assert_array_equal(core.users, [False, True, True])
    np.testing.assert_array_equal(core.items, [False, True, True])
