"""Soft tokens of pairs: as the service looks them up, and averaged until they tell no pair from another."""

import numpy as np

from model_store.soft_tokens import SoftTokenTable
from model_store.types import BehaviorTokens
from training.token_source import TokenSource

CODEBOOK_SIZE, HIDDEN_SIZE = 4, 8


def source() -> TokenSource:
    rng = np.random.default_rng(0)
    user, item = (rng.normal(size=(6, CODEBOOK_SIZE, HIDDEN_SIZE)).astype(np.float32) for _ in range(2))
    table = SoftTokenTable(rng.normal(size=(2, HIDDEN_SIZE)).astype(np.float32), user, item)
    codes = (rng.integers(0, CODEBOOK_SIZE, (count, 6)).astype(np.uint16) for count in (5, 7))
    return TokenSource(table, *codes)


def test_soft_tokens_are_looked_up_as_the_service_does():
    """A batch of pairs gets, row for row, what SoftTokenTable.lookup gives."""
    each, users, items = source(), np.array([4, 0, 2]), np.array([6, 6, 1])
    soft = each.soft(users, items)
    for row in range(3):
        user = BehaviorTokens.from_codes(each.user_codes[users[row]].tolist())
        item = BehaviorTokens.from_codes(each.item_codes[items[row]].tolist())
        np.testing.assert_array_equal(soft["user"][row].numpy(), each.table.lookup("user", user))
        np.testing.assert_array_equal(soft["item"][row].numpy(), each.table.lookup("item", item))
        np.testing.assert_array_equal(soft["style"][row].numpy(), each.table.style)


def test_averaged_tokens_are_the_mean_over_all_nodes():
    """Every pair gets the mean of what the nodes have; the style stays."""
    each = source()
    mean = each.averaged().soft(np.arange(5), np.arange(5))
    every = each.soft(np.arange(5), np.arange(5))["user"].mean(dim=0)
    for row in range(5):
        np.testing.assert_allclose(mean["user"][row].numpy(), every.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(mean["style"][0].numpy(), each.table.style)
