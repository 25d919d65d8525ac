"""Projector: behaviour codes -> input embeddings of the frozen LLM (BEAT, arXiv:2512.15614, stage 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model_store.anchor_words import AnchorWords
from model_store.embeddings import Vectors
from model_store.quantizer import Codes
from model_store.soft_tokens import SideReader, SoftTokens, WordKeys, anchors
from model_store.types import NUM_CODES


@dataclass(frozen=True, eq=False)
class SideStart:
    """What one side begins with. Shapes: codewords (6, K, dim_joint), what its codes add up to; keys to the words."""

    codewords: Vectors
    keys: WordKeys

    def sums(self, codes: Codes) -> Vectors:
        """What nodes' codes add up to. Shapes: codes (n, 6) -> (n, dim_joint)."""
        found: Vectors = self.codewords[np.arange(NUM_CODES), codes].sum(axis=1)
        return found


@dataclass(frozen=True, eq=False)
class Start:
    """What a projector and its controls begin with.

    Shapes: style (num_positions, hidden). No words where there are no anchors.
    """

    style: Vectors
    words: AnchorWords
    user: SideStart
    item: SideStart


class SideProjector(nn.Module):
    """One side's codes in the LLM's input space: anchor words and a learned correction (ADR 0009).

    A node's soft tokens start at the input embeddings of the words that its codes point to most (ADR 0013), so that the
    frozen LLM can read them from step zero. The paper's two-layer MLP learns a correction from what the codes add up
    to; it starts at zero. Without words the MLP is all there is.
    """

    def __init__(self, start: SideStart, words: AnchorWords, *, num_soft: int, width: int, size: float) -> None:
        super().__init__()
        codewords = torch.from_numpy(start.codewords)
        hidden, dim = words.hidden_size, codewords.shape[-1]
        # Mean square 1 in each dimension of what six codes add up to, as levels are about independent
        length = codewords.square().sum(dim=-1).mean(dim=1).sum().sqrt()
        self.codewords: Tensor
        self.register_buffer("codewords", codewords * (dim**0.5 / length.clamp_min(1e-12)))
        self.start = start
        self.words = words
        self.num_soft = num_soft
        self.size = size
        self.inner = nn.Linear(dim, width)
        self.outer = nn.Linear(width, num_soft * hidden)
        if len(words):
            nn.init.zeros_(self.outer.weight)
            nn.init.zeros_(self.outer.bias)

    def forward(self, codes: Tensor) -> Tensor:
        """Soft tokens of nodes. Shapes: codes (batch, 6) int64 -> (batch, num_soft, hidden)."""
        levels = torch.arange(NUM_CODES)
        sums = self.start.sums(codes.numpy())
        begun = torch.from_numpy(anchors(self.start.keys, self.words, sums, self.num_soft))
        summed = self.codewords[levels, codes].sum(dim=1)
        corrections = self.outer(nn.functional.gelu(self.inner(summed), approximate="tanh"))
        soft: Tensor = begun + self.size * corrections.view(begun.shape)
        return soft

    @torch.no_grad()
    def reader(self) -> SideReader:
        """The same with numpy, as the service reads codes."""
        inner = nn.functional.linear(self.codewords, self.inner.weight)
        outer = self.size * self.outer.weight.T  # (width, num_soft * hidden)
        bias = self.size * self.outer.bias
        hidden = self.words.hidden_size
        return SideReader(
            self.start.keys,
            inner.numpy(),
            self.inner.bias.numpy().copy(),
            outer.reshape(-1, self.num_soft, hidden).contiguous().numpy(),
            bias.view(-1, hidden).numpy(),
            self.start.codewords,
        )


class Projector(nn.Module):
    """Both sides, and soft tokens that are the same for every pair: the style, which learns the manner of the texts."""

    def __init__(self, start: Start, *, num_soft: int, width: int, size: float) -> None:
        super().__init__()
        self.style_start: Tensor
        self.register_buffer("style_start", torch.from_numpy(start.style))
        self.style = nn.Parameter(torch.zeros(start.style.shape))
        self.size = size
        self.user, self.item = (
            SideProjector(side, start.words, num_soft=num_soft, width=width, size=size)
            for side in (start.user, start.item)
        )

    def soft_tokens(self, user_codes: Tensor, item_codes: Tensor) -> dict[str, Tensor]:
        """Soft tokens by slot. Shapes: codes (batch, 6) -> (batch, num_positions or num_soft, hidden)."""
        return {
            "style": self.style_tokens(len(user_codes)),
            "user": self.user(user_codes),
            "item": self.item(item_codes),
        }

    def style_tokens(self, count: int) -> Tensor:
        """The style for so many pairs, (count, num_positions, hidden)."""
        return (self.style_start + self.size * self.style).expand(count, -1, -1)

    @torch.no_grad()
    def exported(self) -> SoftTokens:
        """What the service reads codes with."""
        style = self.style_tokens(1)[0].numpy()
        return SoftTokens(style, self.user.words, self.user.reader(), self.item.reader())


def alignment_loss(words: Tensor, tokens: Tensor) -> Tensor:
    """Semantic alignment regularisation (arXiv:2512.15614): the tokens keep the geometry of the words they stand for.

    Each word goes to its most similar token; the cosines among the tokens so assigned should be those among the words.
    Shapes: words (num_words, hidden), tokens (num_tokens, hidden) -> (), a mean square.
    """
    w, t = (nn.functional.normalize(x.float(), dim=-1) for x in (words, tokens))
    assigned = t[(w @ t.T).argmax(dim=-1)]  # (num_words, hidden)
    return nn.functional.mse_loss(assigned @ assigned.T, w @ w.T)
