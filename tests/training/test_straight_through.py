"""The paper's quantizer: gradients go past its codewords, and its losses are what they are said to be."""

import pytest
import torch
from torch import Tensor

from training.config import StraightThroughConfig, TokenizerConfig
from training.straight_through import StraightThroughQuantizer

CONFIG = TokenizerConfig(codebook_size=4, straight_through=StraightThroughConfig(dim=8))


@pytest.fixture
def x() -> Tensor:
    """Random vectors."""
    return torch.randn(60, 10, generator=torch.Generator().manual_seed(0))


def test_the_gradient_goes_past_the_codewords(x):
    """Codewords come out as they are, their gradient reaches the maps; the losses' gradient reaches both."""
    torch.manual_seed(0)
    side = StraightThroughQuantizer(x, CONFIG, 0)
    found = side(x)
    own = side.codebooks[torch.arange(6), found.codes]
    torch.testing.assert_close(found.codewords, own)
    found.codewords.sum().backward(retain_graph=True)
    assert side.codebooks.grad is None
    assert side.macro.weight.grad is not None
    found.pull.backward()
    assert side.codebooks.grad is not None


def test_micro_vectors_apart_are_those_at_right_angles(x):
    """The loss is 1 where all micro vectors of a node are the same, 0 where each is at right angles to the others."""
    side = StraightThroughQuantizer(x, CONFIG, 0)
    maps = [p.data.zero_() for p in side.micro.parameters()]
    for level, each in enumerate(maps):
        each[level, 0] = 1.0
    assert side(x).apart.item() == 0
    for each in maps:
        each.zero_()[0, 0] = 1.0
    assert side(x).apart.item() == pytest.approx(1)


def test_many_are_encoded_as_few_are(x):
    """Codes of all nodes are those of each alone."""
    side = StraightThroughQuantizer(x, CONFIG, 0)
    found = side.encode(x.repeat(100, 1))
    assert found.shape == (6000, 6)
    assert found.dtype == "uint16"
    assert (found[:60] == side(x).codes.numpy()).all()
    assert (found[:60] == found[-60:]).all()
