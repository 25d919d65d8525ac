"""Projector: behaviour codes -> input embeddings of the frozen LLM (BEAT, arXiv:2512.15614, stage 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import Vectors
from model_store.soft_tokens import SoftTokenTable
from model_store.types import NUM_CODES


@dataclass(frozen=True, eq=False)
class SideInputs:
    """What one side's codes start from. Shapes: codewords (6, K, dim_joint), anchors (6, K, hidden)."""

    codewords: Vectors
    anchors: Vectors


def codewords_of(side: SideTokenizer) -> Vectors:
    """All codebooks of a side, macro first, (6, K, dim_joint)."""
    return np.concatenate([side.macro.codebook[None], side.micro.codebooks])


class SideProjector(nn.Module):
    """One side's codes in the LLM's input space: anchor + learned correction.

    A code starts at the mean input embedding of the words that name it, so that the frozen LLM can read it from step
    zero. The paper's two-layer MLP learns a correction from the codeword (what it learns of one code serves its
    neighbours), and a table one for each code alone; both start at zero. With `anchored` off the MLP is all there is.
    """

    def __init__(self, inputs: SideInputs, *, width: int, size: float, anchored: bool) -> None:
        super().__init__()
        codewords = torch.from_numpy(inputs.codewords)
        scale = codewords.norm(dim=-1).mean(dim=1)[:, None, None]  # the fine levels' codewords are the shortest
        self.codewords: Tensor
        self.anchors: Tensor
        self.register_buffer("codewords", codewords / scale.clamp_min(1e-12))
        self.register_buffer("anchors", torch.from_numpy(inputs.anchors))
        levels, codebook_size, hidden = inputs.anchors.shape
        self.size = size
        self.anchored = anchored
        self.level = nn.Parameter(torch.zeros(levels, 1, width))
        self.inner = nn.Linear(inputs.codewords.shape[-1], width)
        self.outer = nn.Linear(width, hidden)
        self.own = nn.Parameter(torch.zeros(levels, codebook_size, hidden))
        if anchored:
            nn.init.zeros_(self.outer.weight)
            nn.init.zeros_(self.outer.bias)

    def forward(self) -> Tensor:
        """Soft tokens of all codes, (6, K, hidden)."""
        corrected: Tensor = self.outer(nn.functional.gelu(self.inner(self.codewords) + self.level)) + self.own
        return self.anchors + self.size * corrected if self.anchored else self.size * corrected


class Projector(nn.Module):
    """Both sides, and `num_style` soft tokens that are the same for every pair: they learn the manner of the texts."""

    def __init__(
        self, user: SideInputs, item: SideInputs, style: Vectors, *, width: int, size: float, anchored: bool = True
    ) -> None:
        super().__init__()
        self.user = SideProjector(user, width=width, size=size, anchored=anchored)
        self.item = SideProjector(item, width=width, size=size, anchored=anchored)
        self.style_start: Tensor
        self.register_buffer("style_start", torch.from_numpy(style))
        self.style = nn.Parameter(torch.zeros(style.shape))
        self.size = size

    def soft_tokens(self, user_codes: Tensor, item_codes: Tensor) -> dict[str, Tensor]:
        """Soft tokens by slot. Shapes: codes (batch, 6) -> (batch, S or 6, hidden)."""
        levels = torch.arange(NUM_CODES)
        style = self.style_start + self.size * self.style
        return {
            "style": style.expand(len(user_codes), -1, -1),
            "user": self.user()[levels, user_codes],
            "item": self.item()[levels, item_codes],
        }

    @torch.no_grad()
    def table(self) -> SoftTokenTable:
        """Every code's soft token, as the service looks it up."""
        style = self.style_start + self.size * self.style
        return SoftTokenTable(*(tensor.float().cpu().numpy() for tensor in (style, self.user(), self.item())))


def alignment_loss(words: Tensor, tokens: Tensor) -> Tensor:
    """Semantic alignment regularisation (arXiv:2512.15614): the tokens keep the geometry of the words they stand for.

    Each word goes to its most similar token; the cosines among the tokens so assigned should be those among the words.
    Shapes: words (num_words, hidden), tokens (num_tokens, hidden) -> (), a mean square.
    """
    w, t = (nn.functional.normalize(x.float(), dim=-1) for x in (words, tokens))
    assigned = t[(w @ t.T).argmax(dim=-1)]  # (num_words, hidden)
    return nn.functional.mse_loss(assigned @ assigned.T, w @ w.T)
