"""Semantic supervision: losses whose values are known beforehand."""

import math

import pytest
import torch
from torch import Tensor

from training.semantic_losses import TEMPERATURE, MaskedPhrases, hidden_slots, info_nce

KINDS = 4


def test_info_nce_of_right_angles():
    """Each codeword with its own sentence, all others at right angles: the formula; with another's: far more."""
    sentences = torch.eye(KINDS)
    codewords = 3 * sentences  # as long as macro_u + macro_i may be
    own, others = math.exp(1 / TEMPERATURE), KINDS - 1
    assert info_nce(codewords, sentences).item() == pytest.approx(-math.log(own / (own + others)))
    assert info_nce(codewords, sentences.roll(1, 0)).item() == pytest.approx(-math.log(1 / (own + others)))


@pytest.mark.parametrize(("phrases", "hidden"), [(1, 1), (4, 1), (6, 1), (10, 2)])
def test_a_fifth_of_the_phrases_is_hidden_each_time_others(phrases, hidden):
    """At least one, never an empty slot; each phrase is hidden at some time."""
    torch.manual_seed(0)
    present = torch.arange(12) < phrases
    drawn = torch.stack([hidden_slots(present[None])[0] for _ in range(200)])
    assert (drawn.sum(dim=1) == hidden).all()
    assert not drawn[:, phrases:].any()
    assert drawn[:, :phrases].any(dim=0).all()


def test_empty_slots_change_nothing():
    """What stands in padding is neither read nor rebuilt, and nodes without phrases do not count."""
    torch.manual_seed(0)
    rebuild = MaskedPhrases(8)
    micro, phrases = torch.randn(3, 5, 8), torch.randn(3, 4, 8)
    present = torch.tensor([[True, True, False, False], [True, True, True, False], [False] * 4])
    losses = []
    for padding in (0.0, 100.0):
        torch.manual_seed(1)
        losses.append(rebuild(micro, torch.where(present[..., None], phrases, padding), present).item())
    assert losses[0] == pytest.approx(losses[1])
    torch.manual_seed(1)
    assert rebuild(micro[:2], phrases[:2], present[:2]).item() == pytest.approx(losses[0])
    assert rebuild(micro[2:], phrases[2:], present[2:]).item() == 0


def test_a_hidden_phrase_is_known_only_from_the_micro_codewords():
    """One phrase a node, of four at right angles: told by codewords it is found; else 3 / 4 is the best."""
    kind = torch.arange(64) % KINDS
    phrases, present = torch.eye(8)[kind][:, None], torch.ones(64, 1, dtype=torch.bool)
    telling = torch.randn(KINDS, 5, 8, generator=torch.Generator().manual_seed(0))[kind]
    assert learned(telling, phrases, present) < 0.1
    assert learned(torch.ones(64, 5, 8), phrases, present) == pytest.approx(1 - 1 / KINDS, abs=0.02)


def learned(micro: Tensor, phrases: Tensor, present: Tensor) -> float:
    """The loss after some steps."""
    torch.manual_seed(0)
    rebuild = MaskedPhrases(8)
    optimizer = torch.optim.Adam(rebuild.parameters(), 0.02)
    for _ in range(150):
        loss = rebuild(micro, phrases, present)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.item())
