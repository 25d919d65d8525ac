"""SentenceEncoder: vectors of texts and of their tokens, from a small frozen encoder that is no part of a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from training.fetch_sentence_encoder import DEFAULT_ENCODER, fetch_sentence_encoder
from training.sentence_metrics import Vectors

MAX_TOKENS = 256
BATCH = 32


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Of every text its vector and those of its tokens; all of length 1, an empty text's vector 0.

    Shapes: vectors (n, dim), tokens[i] (num_tokens, dim).
    """

    vectors: Vectors
    tokens: tuple[Vectors, ...]


class SentenceEncoder:
    """A Hugging Face encoder; a text's vector is the mean of its tokens' last states, each of length 1.

    Special tokens are left out. sentence-transformers counts them in and does not even out lengths, which makes all
    texts look a little less alike (docs/evaluation.md).
    """

    def __init__(self, folder: Path, name: str) -> None:
        from transformers import AutoModel
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        self.name = name
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        self._model = model.to(self._device).eval().requires_grad_(False)

    @classmethod
    def open(cls, name: str = DEFAULT_ENCODER, *, cache: Path | None = None) -> SentenceEncoder:
        """The default encoder (downloaded once), or that of a local Hugging Face folder. DownloadError, OSError."""
        if name == DEFAULT_ENCODER:
            return cls(fetch_sentence_encoder(cache=cache), name)
        folder = Path(name).expanduser()
        return cls(folder, folder.resolve().name)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Vectors of the texts and of their tokens, in the order given; at most MAX_TOKENS of each are read."""
        encodings = self._tokenizer.encode_batch(list(texts))
        vectors: list[Vectors] = [np.zeros(0, np.float32)] * len(texts)
        tokens = list(vectors)
        for rows in _batches([len(encoding.ids) for encoding in encodings]):
            longest = max(len(encodings[row].ids) for row in rows)
            ids, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
            for at, row in enumerate(rows):
                ids[at, : len(encodings[row].ids)] = encodings[row].ids
                mask[at, : len(encodings[row].ids)] = 1
            inputs = (torch.from_numpy(each).to(self._device) for each in (ids, mask))
            states = self._model(**dict(zip(("input_ids", "attention_mask"), inputs, strict=True)))[0].cpu().numpy()
            for at, row in enumerate(rows):
                said = ~np.array(encodings[row].special_tokens_mask, bool)
                tokens[row] = _unit(states[at, : len(said)][said])
                vectors[row] = _unit(tokens[row].sum(axis=0))
        return EncodedTexts(np.stack(vectors), tuple(tokens))


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows in batches of like length."""
    order = np.argsort(lengths, kind="stable").tolist()
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _unit(x: Vectors) -> Vectors:
    unit: Vectors = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-12))
    return unit
