"""AnchorWords: the words at which soft tokens start, in the frozen LLM's own vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AnchorWords:
    """Words as the LLM's input embeddings of their tokens. ValueError where `starts` does not cut `tokens` into words.

    Shapes: tokens (num_tokens, hidden_size), those of one word after those of the other; starts (num_words + 1,) int64,
    where each word begins, and the number of all tokens.
    """

    tokens: Vectors
    starts: NDArray[np.int64]

    def __post_init__(self) -> None:
        ends = self.starts[:1].tolist() + self.starts[-1:].tolist()
        if ends != [0, len(self.tokens)] or np.any(np.diff(self.starts) < 1):
            raise ValueError(f"soft tokens: word_starts must rise from 0 to {len(self.tokens)}, the tokens of all")

    @classmethod
    def of(cls, words: Sequence[Vectors], hidden_size: int) -> AnchorWords:
        """From the embeddings of each word's tokens, (n, hidden_size)."""
        tokens = np.concatenate([np.zeros((0, hidden_size), np.float32), *words])
        return cls(tokens, np.cumsum([0, *(len(word) for word in words)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def hidden_size(self) -> int:
        """Width of the LLM's input embeddings."""
        return int(self.tokens.shape[1])

    def fitting(self, chosen: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """How many of these words, from the first on, have room in so many positions: (n, k) -> (n,)."""
        fit: NDArray[np.int64] = (self._ends(chosen) <= count).sum(axis=1)
        return fit

    def laid(self, chosen: NDArray[np.int64], count: int) -> Vectors:
        """The tokens of these words side by side, the first words again where no further whole word has room.

        A first word of more tokens than that is cut. Zeros where there are no words.
        Shapes: chosen (n, k), best first -> (n, count, hidden_size).
        """
        if not chosen.shape[1]:
            return np.zeros((len(chosen), count, self.hidden_size), np.float32)
        ends = self._ends(chosen)
        filled = np.where(ends <= count, ends, 0).max(axis=1)
        place = np.arange(count) % np.where(filled, filled, count)[:, None]  # (n, count): which of their tokens
        rank = (ends[:, None, :] <= place[:, :, None]).sum(axis=2)  # (n, count): of which word
        shifts = np.take_along_axis(self.starts[chosen + 1] - ends, rank, axis=1)
        found: Vectors = self.tokens[shifts + place]
        return found

    def _ends(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each of these words ends when they stand side by side: (n, k) -> (n, k)."""
        return np.cumsum(np.diff(self.starts)[chosen], axis=1)
