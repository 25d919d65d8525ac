"""SoftTokenTable: what the LLM sees in a code's place. The projector's output for every code, made in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.types import NUM_CODES, BehaviorTokens, Side

Vectors = NDArray[np.float32]

_LEVELS = np.arange(NUM_CODES)


@dataclass(frozen=True, eq=False)
class SoftTokenTable:
    """Input embeddings of the frozen LLM, float32, already at the LLM's own scale.

    The projector works on one code at a time, so serving it is a look-up (ADR 0001).
    """

    style: Vectors
    """(num_style, hidden_size): the same for every pair."""
    user: Vectors
    """(6, codebook_size, hidden_size)."""
    item: Vectors
    """(6, codebook_size, hidden_size)."""

    @property
    def hidden_size(self) -> int:
        """Width of the LLM's input embeddings."""
        return int(self.style.shape[1])

    @property
    def codebook_size(self) -> int:
        """Codes of each level."""
        return int(self.user.shape[1])

    def lookup(self, side: Side, tokens: BehaviorTokens) -> Vectors:
        """The soft tokens of a node, (6, hidden_size), macro first. IndexError for a code beyond the codebook."""
        table = self.user if side == "user" else self.item
        soft: Vectors = table[_LEVELS, np.array(tokens.codes)]
        return soft

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """The arrays under `style`, `user` and `item`."""
        return {"style": self.style, "user": self.user, "item": self.item}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]]) -> SoftTokenTable:
        """The table of these arrays. KeyError where one is missing.

        ValueError where shapes disagree or a value is not finite: one NaN would poison a whole vLLM batch.
        """
        table = cls(*(np.asarray(tensors[name], np.float32) for name in ("style", "user", "item")))
        shape = (NUM_CODES, table.codebook_size, table.hidden_size)
        if table.style.ndim != 2 or table.user.shape != shape or table.item.shape != shape:
            shapes = [part.shape for part in (table.style, table.user, table.item)]
            raise ValueError(f"soft tokens: shapes {shapes} of style, user and item disagree")
        if not all(np.isfinite(part).all() for part in (table.style, table.user, table.item)):
            raise ValueError("soft tokens: not all values are finite")
        return table
