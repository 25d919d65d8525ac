"""SoftTokens: what the LLM sees in a node's place. Reads the node's codes as the trained projector does, with numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.anchor_words import AnchorWords
from model_store.quantizer import Codes
from model_store.types import NUM_CODES, BehaviorTokens, Side

Vectors = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.generic]]

_LEVELS = np.arange(NUM_CODES)
_GELU_SLOPE = np.float32(np.sqrt(2 / np.pi))
_GELU_CUBE = np.float32(0.044715)
_ARRAYS = ("inner", "inner_bias", "outer", "outer_bias", "codewords")
"""What a side has beside its keys."""


@dataclass(frozen=True, eq=False)
class WordKeys:
    """Which of the anchor words a side's codes point to: what the codes add up to is compared with every word."""

    weights: Vectors
    """(dim_joint, num_words): how much each dimension of graph and text speaks for a word."""
    bias: Vectors
    """(num_words,): how much speaks for it anyhow."""

    def best(self, sums: Vectors, count: int) -> NDArray[np.int64]:
        """Rows of the best words, best first. Shapes: sums (n, dim_joint) -> (n, count), or as many as there are."""
        scores = sums @ self.weights + self.bias
        return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def anchors(keys: WordKeys, words: AnchorWords, sums: Vectors, count: int) -> Vectors:
    """Embeddings of the best words' tokens: where the soft tokens of nodes start.

    Shapes: sums (n, dim_joint) -> (n, count, hidden_size).
    """
    return words.laid(keys.best(sums, count), count)


@dataclass(frozen=True, eq=False)
class SideReader:
    """Users' or items' part of the projector (BEAT, arXiv:2512.15614, stage 2): two layers over all codes of a node.

    The first layer is linear in the sum of a node's codewords, so what it makes of each codeword is a table (ADR 0009).
    """

    keys: WordKeys
    inner: Vectors
    """(6, codebook_size, width): each codeword after the first layer, its bias left out."""
    inner_bias: Vectors
    """(width,)."""
    outer: Vectors
    """(width, num_soft, hidden_size)."""
    outer_bias: Vectors
    """(num_soft, hidden_size)."""
    codewords: Vectors
    """(6, codebook_size, dim_joint): what each code adds to the vector by which words are chosen."""

    def read(self, codes: Codes, words: AnchorWords) -> Vectors:
        """Soft tokens. Shapes: codes (n, 6) -> (n, num_soft, hidden_size). IndexError beyond the codebook."""
        hidden = gelu(self.inner[_LEVELS, codes].sum(axis=1) + self.inner_bias)
        width, slots, size = self.outer.shape
        corrections = (hidden @ self.outer.reshape(width, slots * size)).reshape(-1, slots, size) + self.outer_bias
        soft: Vectors = anchors(self.keys, words, self.codewords[_LEVELS, codes].sum(axis=1), slots) + corrections
        return soft


@dataclass(frozen=True, eq=False)
class SoftTokens:
    """Input embeddings of the frozen LLM, float32, already at the LLM's own scale: the style's, and every node's."""

    style: Vectors
    """(num_style, hidden_size): the same for every pair."""
    words: AnchorWords
    """None where the catalogue has no texts."""
    user: SideReader
    item: SideReader

    @property
    def hidden_size(self) -> int:
        """Width of the LLM's input embeddings."""
        return int(self.style.shape[1])

    @property
    def num_soft(self) -> int:
        """Soft tokens of each node."""
        return int(self.user.outer.shape[1])

    @property
    def codebook_size(self) -> int:
        """Codes of each level."""
        return int(self.user.inner.shape[1])

    @property
    def dim_joint(self) -> int:
        """Width of the vectors by which words are chosen."""
        return int(self.user.codewords.shape[-1])

    def side(self, side: Side) -> SideReader:
        """The reader of users' or items' codes."""
        return self.user if side == "user" else self.item

    def read(self, side: Side, codes: Codes) -> Vectors:
        """Soft tokens of nodes. Shapes: codes (n, 6) -> (n, num_soft, hidden_size). IndexError beyond the codebook."""
        return self.side(side).read(codes, self.words)

    def of(self, side: Side, tokens: BehaviorTokens) -> Vectors:
        """The soft tokens of one node, (num_soft, hidden_size). IndexError for a code beyond the codebook."""
        soft: Vectors = self.read(side, np.array([tokens.codes], np.uint16))[0]
        return soft

    def to_tensors(self) -> dict[str, NDArray[np.generic]]:
        """The arrays under `style`, `words`, `word_starts`, `user.inner`, `user.keys.bias` and so on."""
        named: dict[str, NDArray[np.generic]] = {"style": self.style}
        named |= {"words": self.words.tokens, "word_starts": self.words.starts}
        for side, reader in (("user", self.user), ("item", self.item)):
            named |= {f"{side}.{name}": getattr(reader, name) for name in _ARRAYS}
            named |= {f"{side}.keys.weights": reader.keys.weights, f"{side}.keys.bias": reader.keys.bias}
        return named

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> SoftTokens:
        """What `to_tensors` gave. KeyError where one is missing.

        ValueError where shapes disagree or a value is not finite: one NaN would poison a whole vLLM batch.
        """

        def array(name: str) -> Vectors:
            return np.asarray(tensors[name], np.float32)

        def reader(side: Side) -> SideReader:
            keys = WordKeys(array(f"{side}.keys.weights"), array(f"{side}.keys.bias"))
            return SideReader(keys, *(array(f"{side}.{name}") for name in _ARRAYS))

        words = AnchorWords(array("words"), np.asarray(tensors["word_starts"], np.int64))
        found = cls(array("style"), words, reader("user"), reader("item"))
        found._check()
        return found

    def _check(self) -> None:
        tensors = self.to_tensors()
        found = {name: array.shape for name, array in tensors.items()}
        if found != (expected := self._expected()):
            wrong = next(name for name in found if found[name] != expected[name])
            raise ValueError(f"soft tokens: {wrong} should be {expected[wrong]}, and is {found[wrong]}")
        if not all(np.isfinite(array).all() for array in tensors.values()):
            raise ValueError("soft tokens: not all values are finite")

    def _expected(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name, as the style, the words and the users' first layer have them."""
        hidden, (_, size, width), slots = self.style.shape[-1], self.user.inner.shape, self.num_soft
        num_words, dim_joint = len(self.words), self.dim_joint
        side = {
            "inner": (NUM_CODES, size, width),
            "inner_bias": (width,),
            "outer": (width, slots, hidden),
            "outer_bias": (slots, hidden),
            "codewords": (NUM_CODES, size, dim_joint),
            "keys.weights": (dim_joint, num_words),
            "keys.bias": (num_words,),
        }
        sides = {f"{name}.{key}": shape for name in ("user", "item") for key, shape in side.items()}
        words = {"words": (len(self.words.tokens), hidden), "word_starts": (num_words + 1,)}
        return {"style": (len(self.style), hidden), **words, **sides}


def gelu(x: Vectors) -> Vectors:
    """Gaussian error linear unit in its tanh form (arXiv:1606.08415, section 2), as torch has it."""
    smooth = np.float32(0.5) * x * (np.float32(1) + np.tanh(_GELU_SLOPE * (x + _GELU_CUBE * x**3)))
    return np.asarray(smooth, np.float32)
