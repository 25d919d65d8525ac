"""Behaviour tokenizer: a node's joint vector, or a history -> 1 macro and 5 micro codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_store.embeddings import NodeEmbeddings
from model_store.quantizer import Codes, MacroQuantizer, MicroQuantizer, Vectors, summed
from model_store.types import NUM_CODES, BehaviorTokens

_CHUNK_ROWS = 65_536  # residuals of so many nodes are held at a time


@dataclass(frozen=True, eq=False)
class SideTokenizer:
    """The quantizers of one side, users or items."""

    macro: MacroQuantizer
    micro: MicroQuantizer
    decode_table: Vectors | None = None
    """(6, codebook_size, dim_joint) float32: what each code adds to a decoded vector; its codeword where there is none.

    Codewords are made one level after the other, for encoding. Fitted together they decode better (ADR 0008).
    """

    def encode(self, x: Vectors) -> Codes:
        """Codes, macro first. Shapes: x (n, dim_joint) -> (n, 6) uint16. ValueError unless x is finite."""
        codes = np.empty((len(x), NUM_CODES), np.uint16)
        for start in range(0, len(x), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            codes[rows, 0] = self.macro.encode(x[rows])
            codes[rows, 1:] = self.micro.encode(x[rows] - self.macro.decode(codes[rows, 0]))
        return codes

    def decode(self, codes: NDArray[np.integer]) -> Vectors:
        """The vectors that the codes stand for. Shapes: codes (n, 6) -> (n, dim_joint)."""
        if self.decode_table is not None:
            return summed(self.decode_table, codes)
        return self.macro.decode(codes[:, 0]) + self.micro.decode(codes[:, 1:])

    @property
    def addends(self) -> Vectors:
        """What each code adds to a decoded vector, (6, codebook_size, dim_joint), macro first."""
        if self.decode_table is not None:
            return self.decode_table
        return np.concatenate([self.macro.codebook[None], self.micro.codebooks])

    @property
    def codebook_size(self) -> int:
        """Codes of each level."""
        return len(self.macro.codebook)


@dataclass(frozen=True, eq=False)
class BehaviorTokenizer:
    """Both sides' quantizers, and the embeddings that turn a history into a vector."""

    user: SideTokenizer
    item: SideTokenizer
    embeddings: NodeEmbeddings

    def tokens_of_history(self, item_rows: ArrayLike, weights: ArrayLike | None = None) -> BehaviorTokens:
        """User tokens of a history of item rows (see NodeEmbeddings.joint_history)."""
        x = self.embeddings.joint_history(item_rows, weights)
        return BehaviorTokens.from_codes(self.user.encode(x[None])[0])
