"""Artifact: one trained version, whole, as the service uses it; and the files it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.catalog import Catalog, Histories
from model_store.durable_files import write_file
from model_store.embeddings import NodeEmbeddings
from model_store.errors import ArtifactCorrupt
from model_store.id_map import IdMap
from model_store.language_model_spec import LanguageModelSpec
from model_store.manifest import Json, Manifest
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.soft_tokens import SoftTokens
from model_store.tensor_file import Tensors, load_tensors, save_tensors
from model_store.vocabulary import Vocabulary

VOCABULARY_FILE = "vocabulary.json"
INDEX_FILE = "index.safetensors"

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What an artifact answers with."""

    user_ids: IdMap
    catalog: Catalog
    histories: Histories
    embeddings: NodeEmbeddings
    tokenizer: BehaviorTokenizer
    user_codes: NDArray[np.uint16]
    """(num_users, 6): tokens of every training user, macro first."""
    item_codes: NDArray[np.uint16]
    """(num_items, 6)."""
    soft_tokens: SoftTokens
    vocabulary: Vocabulary
    index_bytes: NDArray[np.uint8] | None = None
    """A serialised faiss index over the item vectors, where training built one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArtifactParts(Contents):
    """What training hands over to be published."""

    dataset: str
    """Short name; becomes the first half of the version."""
    config: Json
    metrics: Json
    language_model: LanguageModelSpec
    prompt_template: Json
    """As PromptTemplate writes itself."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact(Contents):
    """A published version, loaded and checked. Its arrays are read-only views of mapped files."""

    manifest: Manifest
    path: Path
    """The version's folder; free extra files (report.json ...) lie there too."""
    language_model_path: Path
    """The frozen LLM's Hugging Face folder."""

    @property
    def version(self) -> str:
        """The version's name."""
        return self.manifest.version


def write_contents(parts: Contents, folder: Path) -> tuple[str, ...]:
    """Write the contents into the folder. Returns the names of the files."""
    files = _tensor_files(parts)
    for name, tensors in files.items():
        save_tensors(folder / name, tensors)
    write_file(folder / VOCABULARY_FILE, parts.vocabulary.to_json().encode())
    return (*files, VOCABULARY_FILE)


def read_contents(folder: Path, names: Container[str]) -> Mapping[str, Any]:
    """The fields of Contents out of a folder whose checksums hold. ArtifactCorrupt for what does not parse.

    `names` are the files that the manifest vouches for: they decide whether there is an index.
    """
    user_ids = _read(folder, "ids", lambda t: IdMap.from_tensors(t, "users", kind="user"))
    item_ids = _read(folder, "ids", lambda t: IdMap.from_tensors(t, "items", kind="item"))
    embeddings = _read(folder, "embeddings", _embeddings)
    user = _read(folder, "quantizers", lambda t: side_of(t, "user"))
    item = _read(folder, "quantizers", lambda t: side_of(t, "item"))
    return {
        "user_ids": user_ids,
        "catalog": _read(folder, "catalog", lambda t: Catalog.from_tensors(t, item_ids)),
        "histories": _read(folder, "histories", lambda t: Histories.from_tensors(t, "histories")),
        "embeddings": embeddings,
        "tokenizer": BehaviorTokenizer(user, item, embeddings),
        "user_codes": _read(folder, "codes", lambda t: t["user"]),
        "item_codes": _read(folder, "codes", lambda t: t["item"]),
        "soft_tokens": _read(folder, "soft_tokens", SoftTokens.from_tensors),
        "vocabulary": _vocabulary(folder),
        "index_bytes": _read(folder, "index", lambda t: t["faiss"]) if INDEX_FILE in names else None,
    }


def _tensor_files(parts: Contents) -> dict[str, Tensors]:
    e, t = parts.embeddings, parts.tokenizer
    files: dict[str, Tensors] = {
        "ids": {**parts.user_ids.to_tensors("users"), **parts.catalog.ids.to_tensors("items")},
        "catalog": parts.catalog.to_tensors(),
        "histories": parts.histories.to_tensors("histories"),
        "embeddings": {name: getattr(e, name) for name in NodeEmbeddings.__dataclass_fields__},
        "quantizers": {**side_tensors(t.user, "user"), **side_tensors(t.item, "item")},
        "codes": {"user": parts.user_codes, "item": parts.item_codes},
        "soft_tokens": parts.soft_tokens.to_tensors(),
    }
    if parts.index_bytes is not None:
        files["index"] = {"faiss": parts.index_bytes}
    return {f"{name}.safetensors": tensors for name, tensors in files.items()}


def side_tensors(side: SideTokenizer, name: str) -> Tensors:
    """The codebooks of a side under "<side>.macro" and so on; its levels' weights and decode table if it has any."""
    tensors: Tensors = {f"{name}.macro": side.macro.codebook, f"{name}.micro": side.micro.codebooks}
    if side.macro.weights is not None:
        tensors[f"{name}.macro_weights"] = side.macro.weights
    if side.micro.weights is not None:
        tensors[f"{name}.micro_weights"] = side.micro.weights
    if side.decode_table is not None:
        tensors[f"{name}.decode_table"] = side.decode_table
    return tensors


def side_of(tensors: Tensors, name: str) -> SideTokenizer:
    """The side that `side_tensors` wrote. KeyError where a codebook is missing."""
    macro = MacroQuantizer(tensors[f"{name}.macro"], tensors.get(f"{name}.macro_weights"))
    micro = MicroQuantizer(tensors[f"{name}.micro"], tensors.get(f"{name}.micro_weights"))
    return SideTokenizer(macro, micro, tensors.get(f"{name}.decode_table"))


def _embeddings(tensors: Tensors) -> NodeEmbeddings:
    return NodeEmbeddings(**{name: tensors[name] for name in NodeEmbeddings.__dataclass_fields__})


def _read(folder: Path, name: str, build: Callable[[Tensors], Part]) -> Part:
    path = folder / f"{name}.safetensors"
    try:
        return build(load_tensors(path))
    except (KeyError, ValueError, IndexError) as error:
        raise ArtifactCorrupt(path, "the tensors of this format", repr(error)) from error


def _vocabulary(folder: Path) -> Vocabulary:
    path = folder / VOCABULARY_FILE
    try:
        return Vocabulary.from_json(path.read_bytes())
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactCorrupt(path, "a vocabulary", repr(error)) from error
