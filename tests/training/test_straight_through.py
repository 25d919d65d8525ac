"""The paper's tokenizer: on toy colours its macro codes are the colours, and a step does what its losses say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model_store.embeddings import unit_rows
from training.config import ConfigError, StraightThroughConfig, TokenizerConfig
from training.data import Pairs
from training.straight_through import StraightThroughQuantizer, train_straight_through
from training.train_tokenizer import of_codes

NUM_NODES, DIM = 60, 10
CONFIG = TokenizerConfig(
    method="straight_through", codebook_size=4, straight_through=StraightThroughConfig(dim=8, epochs=2, batch_size=64)
)
COLOUR = np.arange(NUM_NODES) % 2
PAIRS = Pairs(*np.nonzero(COLOUR[:, None] == COLOUR[None]))


@pytest.fixture
def nodes() -> np.ndarray:
    """Two colours, opposite in every dimension, and a little noise."""
    x = np.where(COLOUR[:, None] == 0, 1.0, -1.0) + 0.05 * np.random.default_rng(0).normal(size=(NUM_NODES, DIM))
    return unit_rows(x.astype(np.float32))


@pytest.mark.parametrize("start", ["kmeans", "uniform"])
def test_no_code_is_shared_by_two_colours(nodes, start):
    """Opposite vectors map to opposite sides, whatever is learned; the same seed gives the same codes."""
    config = replace(CONFIG, straight_through=replace(CONFIG.straight_through, start=start))
    found = train_straight_through(nodes, nodes, PAIRS, config, 0)
    again = train_straight_through(nodes, nodes, PAIRS, config, 0)
    np.testing.assert_array_equal(found.user, again.user)
    assert found.item.shape == (NUM_NODES, 6)
    assert found.item.dtype == np.uint16
    if start == "kmeans":
        assert not set(found.user[COLOUR == 0, 0]) & set(found.user[COLOUR == 1, 0])


def test_the_gradient_goes_past_the_codewords(nodes):
    """Codewords come out as they are, their gradient reaches the maps; the losses' gradient reaches both."""
    torch.manual_seed(0)
    x = torch.from_numpy(nodes)
    side = StraightThroughQuantizer(x, CONFIG, 0)
    found = side(x)
    own = side.codebooks[torch.arange(6), found.codes]
    torch.testing.assert_close(found.codewords, own)
    found.codewords.sum().backward(retain_graph=True)
    assert side.codebooks.grad is None
    assert side.macro.weight.grad is not None
    found.loss.backward()
    assert side.codebooks.grad is not None


def test_given_codes_decode_to_the_means_of_their_nodes():
    """Nodes that share all codes decode to their mean; a code of nobody is nobody's nearest."""
    x = np.array([[0, 1], [0, 3], [5, 0], [7, 0]], np.float32)
    codes = np.array([[0] * 6, [0] * 6, [1] * 6, [1] * 6], np.uint16)
    side = of_codes(x, codes, 3)
    np.testing.assert_allclose(side.decode(codes), [[0, 2], [0, 2], [6, 0], [6, 0]])
    np.testing.assert_array_equal(side.encode(x)[:, 0], codes[:, 0])
    assert 2 not in side.encode(x)


def test_too_few_nodes_are_refused(nodes):
    """As by the other method."""
    with pytest.raises(ConfigError, match="lower codebook_size"):
        train_straight_through(nodes[:3], nodes, PAIRS, CONFIG, 0)
