"""Soft tokens of pairs: as the service reads them, and averaged until they tell no pair from another."""

import numpy as np

from model_store.types import BehaviorTokens
from tests.artifacts import CODEBOOK_SIZE, random_soft_tokens
from training.token_source import TokenSource


def source() -> TokenSource:
    rng = np.random.default_rng(0)
    codes = (rng.integers(0, CODEBOOK_SIZE, (count, 6)).astype(np.uint16) for count in (5, 7))
    return TokenSource(random_soft_tokens(0), *codes)


def test_soft_tokens_are_read_as_the_service_does():
    """A batch of pairs gets, row for row, what SoftTokens.of gives."""
    each, users, items = source(), np.array([4, 0, 2]), np.array([6, 6, 1])
    soft = each.soft(users, items)
    for row in range(3):
        user = BehaviorTokens.from_codes(each.user_codes[users[row]].tolist())
        item = BehaviorTokens.from_codes(each.item_codes[items[row]].tolist())
        np.testing.assert_allclose(soft["user"][row].numpy(), each.tokens.of("user", user), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(soft["item"][row].numpy(), each.tokens.of("item", item), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(soft["style"][row].numpy(), each.tokens.style)


def test_averaged_tokens_are_the_mean_over_all_nodes():
    """Every pair gets the mean of what the nodes have; the style stays."""
    each = source()
    mean = each.averaged().soft(np.arange(5), np.arange(5))
    every = each.soft(np.arange(5), np.arange(5))["user"].mean(dim=0)
    for row in range(5):
        np.testing.assert_allclose(mean["user"][row].numpy(), every.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mean["style"][0].numpy(), each.tokens.style)
