"""SoftTokens: what the LLM sees in a node's place. Reads the node's codes as the trained projector does, with numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.quantizer import Codes
from model_store.types import NUM_CODES, BehaviorTokens, Side

Vectors = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.generic]]

_LEVELS = np.arange(NUM_CODES)
_GELU_SLOPE = np.float32(np.sqrt(2 / np.pi))
_GELU_CUBE = np.float32(0.044715)


@dataclass(frozen=True, eq=False)
class AnchorWords:
    """Words that say what codes stand for, as the frozen LLM's own input embeddings.

    The text part of what codes add up to is compared with every word; a node's soft tokens start at those that it
    points to most.
    """

    keys: Vectors
    """(dim_text, num_words): how much each text dimension speaks for a word."""
    bias: Vectors
    """(num_words,): how much speaks for it anyhow."""
    embeddings: Vectors
    """(num_words, hidden_size), all of one length."""

    def best(self, texts: Vectors, count: int) -> NDArray[np.int64]:
        """Rows of the best words, best first. Shapes: texts (n, dim_text) -> (n, count), or as many as there are."""
        scores = texts @ self.keys + self.bias
        return np.argsort(-scores, axis=1, kind="stable")[:, :count]

    def of(self, texts: Vectors, count: int) -> Vectors:
        """Embeddings of the best words, then zeros. Shapes: texts (n, dim_text) -> (n, count, hidden_size)."""
        found = self.embeddings[self.best(texts, count)]
        anchors: Vectors = np.pad(found, ((0, 0), (0, count - found.shape[1]), (0, 0)))
        return anchors


@dataclass(frozen=True, eq=False)
class SideReader:
    """Users' or items' part of the projector (BEAT, arXiv:2512.15614, stage 2): two layers over all codes of a node.

    The first layer is linear in the sum of a node's codewords, so what it makes of each codeword is a table (ADR 0009).
    """

    inner: Vectors
    """(6, codebook_size, width): each codeword after the first layer, its bias left out."""
    inner_bias: Vectors
    """(width,)."""
    outer: Vectors
    """(width, num_soft, hidden_size)."""
    outer_bias: Vectors
    """(num_soft, hidden_size)."""
    texts: Vectors
    """(6, codebook_size, dim_text): the text part of each codeword."""

    def read(self, codes: Codes, words: AnchorWords) -> Vectors:
        """Soft tokens. Shapes: codes (n, 6) -> (n, num_soft, hidden_size). IndexError beyond the codebook."""
        hidden = gelu(self.inner[_LEVELS, codes].sum(axis=1) + self.inner_bias)
        width, slots, size = self.outer.shape
        corrections = (hidden @ self.outer.reshape(width, slots * size)).reshape(-1, slots, size) + self.outer_bias
        soft: Vectors = words.of(self.texts[_LEVELS, codes].sum(axis=1), slots) + corrections
        return soft


@dataclass(frozen=True, eq=False)
class SoftTokens:
    """Input embeddings of the frozen LLM, float32, already at the LLM's own scale: the style's, and every node's."""

    style: Vectors
    """(num_style, hidden_size): the same for every pair."""
    words: AnchorWords
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
        """The arrays under `style`, `words.keys`, `user.inner` and so on."""
        parts = {"words": self.words, "user": self.user, "item": self.item}
        named = {f"{name}.{key}": array for name, part in parts.items() for key, array in vars(part).items()}
        return {"style": self.style, **named}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> SoftTokens:
        """What `to_tensors` gave. KeyError where one is missing.

        ValueError where shapes disagree or a value is not finite: one NaN would poison a whole vLLM batch.
        """

        def part(name: str, kind: Any) -> Any:
            names = kind.__dataclass_fields__
            return kind(**{key: np.asarray(tensors[f"{name}.{key}"], np.float32) for key in names})

        style = np.asarray(tensors["style"], np.float32)
        found = cls(style, part("words", AnchorWords), part("user", SideReader), part("item", SideReader))
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
        num_words, dim_text = len(self.words.embeddings), len(self.words.keys)
        side = {
            "inner": (NUM_CODES, size, width),
            "inner_bias": (width,),
            "outer": (width, slots, hidden),
            "outer_bias": (slots, hidden),
            "texts": (NUM_CODES, size, dim_text),
        }
        words = {"keys": (dim_text, num_words), "bias": (num_words,), "embeddings": (num_words, hidden)}
        return {
            "style": (len(self.style), hidden),
            **{f"words.{key}": shape for key, shape in words.items()},
            **{f"{name}.{key}": shape for name in ("user", "item") for key, shape in side.items()},
        }


def gelu(x: Vectors) -> Vectors:
    """Gaussian error linear unit in its tanh form (arXiv:1606.08415, section 2), as torch has it."""
    smooth = np.float32(0.5) * x * (np.float32(1) + np.tanh(_GELU_SLOPE * (x + _GELU_CUBE * x**3)))
    return np.asarray(smooth, np.float32)
