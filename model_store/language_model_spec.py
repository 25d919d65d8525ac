"""LanguageModelSpec: which frozen LLM an artifact was trained for, down to its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.token_embeddings import TokenEmbeddings, embedding_scale, read_json, weight_files

TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"
GENERATION_CONFIG: Final = "generation_config.json"
"""There or not: the ends of answers may stand in either."""
_SAYS_NOTHING: Final = frozenset({"transformers_version", "_name_or_path"})
"""Who wrote a configuration, and from where."""
DEFAULT_CONTEXT: Final = 2048


@dataclass(frozen=True)
class ChatMarkup:
    """The trusted text that the LLM's chat template puts around a system text, a user text and its answer."""

    before_system: str = ""
    before_user: str = "\n\n"
    before_answer: str = "\n"


@dataclass(frozen=True)
class LanguageModelSpec:
    """What must be known of the LLM to speak to it in its own embeddings."""

    name: str
    """As the config or the user calls it; the served model name too."""
    folder: str
    """Folder name in the store's `language_models`: the name and the first 12 hex digits of `sha256`."""
    sha256: str
    """Of weights, tokenizer and configuration, see `folder_sha256`."""
    hidden_size: int
    vocab_size: int
    """Rows of the input embedding matrix."""
    context_length: int
    """Most tokens of prompt and answer together."""
    embedding_scale: float
    """Factor on the stored token embeddings (Gemma: sqrt(hidden_size); most others 1)."""
    embedding_rms: float
    """Root mean square of all scaled token embedding entries: the size for injected vectors."""
    dtype: str
    """Of the stored weights: "bfloat16", "float16" or "float32"."""
    eos_token_ids: tuple[int, ...]
    """Tokens that end an answer."""
    chat: ChatMarkup = ChatMarkup()

    @classmethod
    def of_folder(cls, folder: Path, *, name: str, chat: ChatMarkup = ChatMarkup()) -> LanguageModelSpec:
        """The spec of a Hugging Face folder: config.json, tokenizer.json, *.safetensors, generation_config.json if any.

        Reads every byte once for the hash. Raises ArtifactCorrupt, ArtifactIncompatible.
        """
        config = read_json(folder / CONFIG)
        generation = folder / GENERATION_CONFIG
        eos = (read_json(generation) if generation.is_file() else {}).get("eos_token_id") or config.get("eos_token_id")
        if eos is None:
            raise ArtifactIncompatible(f"config.json of {name}", "an eos_token_id", "none")
        sha256, embeddings = folder_sha256(folder), TokenEmbeddings.open(folder)
        return cls(
            name=name,
            folder=f"{_file_name(name)}-{sha256[:12]}",
            sha256=sha256,
            hidden_size=embeddings.hidden_size,
            vocab_size=embeddings.vocab_size,
            context_length=int(config.get("max_position_embeddings", DEFAULT_CONTEXT)),
            embedding_scale=embedding_scale(config),
            embedding_rms=embeddings.rms(),
            dtype=str(config.get("dtype") or config.get("torch_dtype") or "float32"),
            eos_token_ids=tuple(eos) if isinstance(eos, list) else (int(eos),),
            chat=chat,
        )

    def verify(self, folder: Path) -> None:
        """Returns when the folder holds exactly this model. Raises ArtifactCorrupt when any byte is another."""
        found = folder_sha256(folder)
        if found != self.sha256:
            raise ArtifactCorrupt(folder, f"language model with sha256 {self.sha256}", found)

    def to_json(self) -> dict[str, Any]:
        """Plain values, fit for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LanguageModelSpec:
        """The spec that `to_json` wrote. Raises ArtifactIncompatible for other keys."""
        try:
            eos = tuple(int(token_id) for token_id in found["eos_token_ids"])
            return cls(**{**found, "eos_token_ids": eos, "chat": ChatMarkup(**found["chat"])})
        except (KeyError, TypeError) as error:
            raise ArtifactIncompatible("language model in the manifest", sorted(cls.__annotations__), error) from error


def folder_sha256(folder: Path) -> str:
    """One hash over what decides an answer: names and bytes of the weights and the tokenizer, and the configuration.

    Of the JSON files counts what they say (rotary base, norms, scales, the sampling that vLLM falls back to), not how
    it is laid out or which version of transformers wrote it.
    """
    whole = hashlib.sha256()
    for path in [*weight_files(folder), folder / TOKENIZER]:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ArtifactCorrupt(path, "a readable file", error) from error
        whole.update(f"{digest}  {path.name}\n".encode())
    for path in (folder / CONFIG, folder / GENERATION_CONFIG):
        if path.name == CONFIG or path.is_file():
            said = {key: value for key, value in read_json(path).items() if key not in _SAYS_NOTHING}
            digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
            whole.update(f"{digest}  {path.name}\n".encode())
    return whole.hexdigest()


def _file_name(name: str) -> str:
    """The name with everything a path could misread replaced, shortened."""
    kept = "".join(char if char.isalnum() or char in "-_." else "-" for char in name.lower())
    return kept.strip("-.")[-60:] or "language-model"
