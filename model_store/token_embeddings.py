"""TokenEmbeddings: the frozen LLM's own input embeddings, read with numpy from its Hugging Face folder.

The service embeds the whole prompt itself (the LLM gets `prompt_embeds`), so it needs this one matrix of the model and
nothing else: no torch on that path. numpy has no bfloat16 and safetensors' numpy reader refuses it; the upper 16 bits
of a float32 are what a bfloat16 is, so a shift decodes it exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible

_STORED: Final[Mapping[str, str]] = {"BF16": "<u2", "F16": "<f2", "F32": "<f4"}
_MATRIX_ENDINGS: Final = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
"""How the input embedding matrix is called: Llama and most others, GPT-2, GPT-NeoX, BLOOM and Falcon."""
_INDEX: Final = "model.safetensors.index.json"
_SCALED_TYPES: Final = ("gemma", "gemma2", "gemma3", "gemma3_text")
"""Model types that multiply token embeddings by sqrt(hidden_size) before the first layer (vllm-project/vllm#36787)."""
_ROWS_AT_ONCE: Final = 8192


def embedding_scale(config: Mapping[str, Any]) -> float:
    """What the model of this config.json multiplies its token embeddings by; 1.0 for all but the Gemma family."""
    return float(config["hidden_size"]) ** 0.5 if config.get("model_type") in _SCALED_TYPES else 1.0


class TokenEmbeddings:
    """Rows of the input embedding matrix, as the model's first layer sees them.

    Shapes: the matrix (vocab_size, hidden_size) stays in the file, mapped; only rows that are asked for are decoded.
    """

    def __init__(self, stored: NDArray[Any], *, scale: float) -> None:
        self._stored = stored
        self._scale = np.float32(scale)

    @classmethod
    def open(cls, folder: Path, *, scale: float | None = None) -> TokenEmbeddings:
        """Embeddings of the model in a Hugging Face folder (safetensors, one file or sharded).

        `scale` is the manifest's `embedding_scale`; left out, the folder's config.json decides.
        Raises ArtifactCorrupt for a damaged or missing file, ArtifactIncompatible where no such matrix is found.
        """
        if scale is None:
            scale = embedding_scale(read_json(folder / "config.json"))
        for path in weight_files(folder):
            for name, entry in _header(path).items():
                if name.endswith(_MATRIX_ENDINGS) and len(entry.get("shape", ())) == 2:
                    return cls(_mapped(path, entry), scale=scale)
        raise ArtifactIncompatible(f"weights in {folder.name}", f"a matrix named ...{_MATRIX_ENDINGS[0]}", "none")

    @property
    def vocab_size(self) -> int:
        """Rows of the matrix."""
        return int(self._stored.shape[0])

    @property
    def hidden_size(self) -> int:
        """Width of one embedding."""
        return int(self._stored.shape[1])

    def rows(self, token_ids: ArrayLike) -> NDArray[np.float32]:
        """Scaled embeddings of the ids. Shapes: (n,) integers within 0..vocab_size-1 -> (n, hidden_size) float32."""
        ids = np.asarray(token_ids, np.int64)
        assert ids.size == 0 or (ids.min() >= 0 and ids.max() < self.vocab_size), "token id outside the vocabulary"
        return _float32(self._stored[ids]) * self._scale

    def rms(self) -> float:
        """Root mean square over all entries, scaled: the size that an injected vector should have."""
        squares = sum(
            float(np.square(_float32(self._stored[start : start + _ROWS_AT_ONCE]), dtype=np.float64).sum())
            for start in range(0, self.vocab_size, _ROWS_AT_ONCE)
        )
        return float(self._scale) * float(np.sqrt(squares / self._stored.size))


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the model, by name: one, or all that its index names. ArtifactCorrupt where none is."""
    if (folder / _INDEX).is_file():
        return [folder / name for name in sorted(set(read_json(folder / _INDEX)["weight_map"].values()))]
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise ArtifactCorrupt(folder, "model weights as *.safetensors", "none")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. ArtifactCorrupt where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(path, "a JSON file", error) from error
    if not isinstance(found, dict):
        raise ArtifactCorrupt(path, "a JSON object", type(found).__name__)
    return found


def _header(path: Path) -> dict[str, Any]:
    """What a safetensors file says of its tensors; offsets count from the end of the header."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > path.stat().st_size:
                raise ArtifactCorrupt(path, "a safetensors header", f"a header of {size} bytes")
            header: dict[str, Any] = json.loads(file.read(size))
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(path, "a safetensors file", error) from error
    for entry in header.values():
        entry["start"] = 8 + size
    return header


def _mapped(path: Path, entry: Mapping[str, Any]) -> NDArray[Any]:
    stored = _STORED.get(entry["dtype"])
    if stored is None:
        raise ArtifactIncompatible(f"embedding dtype in {path.name}", " or ".join(_STORED), entry["dtype"])
    try:
        begin = entry["start"] + entry["data_offsets"][0]
        return np.memmap(path, np.dtype(stored), "r", offset=begin, shape=tuple(entry["shape"]))
    except (KeyError, ValueError) as error:
        raise ArtifactCorrupt(path, "a whole embedding matrix", error) from error


def _float32(stored: NDArray[Any]) -> NDArray[np.float32]:
    if stored.dtype == np.uint16:
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return stored.astype(np.float32)
