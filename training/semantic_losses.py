"""The paper's semantic supervision (arXiv:2512.15614): macro codes by explanations, micro codes by intent phrases."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

TEMPERATURE = 0.2
MASKED_SHARE = 0.2
"""Of a node's phrases; at least one."""


def info_nce(codewords: Tensor, sentences: Tensor) -> Tensor:
    """InfoNCE (arXiv:1807.03748) of each pair's codewords with its own sentence among all of the batch, ().

    Shapes: codewords (n, dim), macro_u + macro_i of pair j in row j; sentences (n, dim) of length 1, likewise.
    """
    cosines = normalize(codewords, dim=-1) @ sentences.T  # (n, n)
    return cross_entropy(cosines / TEMPERATURE, torch.arange(len(cosines)))


class MaskedPhrases(nn.Module):
    """Rebuilds phrases that it does not see from those that it does, by what the node's micro codewords tell.

    A node's phrases have no order, so no slot has a position.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(dim))
        self.context = nn.MultiheadAttention(dim, 1, batch_first=True)
        self.reading = nn.MultiheadAttention(dim, 1, batch_first=True)

    def forward(self, micro: Tensor, phrases: Tensor, present: Tensor) -> Tensor:
        """Squared error of the hidden phrases, whose length is 1, (): 0 where no node has any phrase.

        Shapes: micro (n, 5, dim), phrases (n, slots, dim), present (n, slots).
        """
        told = present.any(dim=1)
        if not told.any():
            return micro.new_zeros(())
        micro, phrases, present = micro[told], phrases[told], present[told]
        hidden = hidden_slots(present)
        seen = torch.where(hidden[..., None], self.mask, phrases)
        beside, _ = self.context(seen, seen, seen, key_padding_mask=~present, need_weights=False)
        rebuilt, _ = self.reading(seen + beside, micro, micro, need_weights=False)  # (n, slots, dim)
        error: Tensor = (rebuilt - phrases)[hidden].square().sum(-1).mean()
        return error


def hidden_slots(present: Tensor) -> Tensor:
    """Slots to hide, MASKED_SHARE of each node's phrases, at least one, at random anew. Shapes: (n, slots) both."""
    wanted = (present.sum(dim=1, keepdim=True) * MASKED_SHARE).round().clamp(min=1)
    place = torch.rand(present.shape).masked_fill(~present, 2.0).argsort(dim=1).argsort(dim=1)
    return present & (place < wanted)
