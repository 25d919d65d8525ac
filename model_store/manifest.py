"""Manifest: what an artifact is, and the checksum of every file in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import LanguageModelSpec

FORMAT_VERSION = 2
"""2: the language model's hash covers its configuration."""
"""Raised whenever an older reader could misread a newer artifact."""
MANIFEST_FILE = "manifest.json"

Json = dict[str, Any]


@dataclass(frozen=True)
class FileRecord:
    """Checksum and size of one file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """Everything about an artifact that is not a tensor."""

    version: str
    """The name, "<dataset>-<hash12>", its hash over what the artifact answers with."""
    created_at: str
    """UTC, ISO 8601."""
    dataset: str
    config: Json
    """The training run's whole configuration."""
    language_model: LanguageModelSpec
    prompt_template: Json
    """As PromptTemplate writes itself."""
    tokens: Mapping[str, int]
    """levels, codebook_size, num_style, hidden_size."""
    counts: Mapping[str, int]
    """users, items, interactions."""
    metrics: Json
    files: Mapping[str, FileRecord]
    """By name; the manifest itself is covered by the checksum inside it."""
    format_version: int = FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """The manifest as JSON, with a checksum of itself. ValueError, TypeError for what JSON cannot hold (NaN)."""
        files = {name: asdict(record) for name, record in sorted(self.files.items())}
        body = plain({**vars(self), "language_model": self.language_model.to_json(), "files": files})
        return json.dumps({**body, "checksum": _checksum(body)}, ensure_ascii=False, indent=2).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The manifest of its JSON. ArtifactIncompatible for another format, ArtifactCorrupt unless it is whole."""
        try:
            body: Json = json.loads(data)
            checksum, format_version = body.pop("checksum"), body["format_version"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactCorrupt(MANIFEST_FILE, "a manifest", repr(error)) from error
        if format_version != FORMAT_VERSION:  # first: another format may count its checksum in another way
            raise ArtifactIncompatible("format version", FORMAT_VERSION, format_version)
        if checksum != _checksum(body):
            raise ArtifactCorrupt(MANIFEST_FILE, f"checksum {_checksum(body)}", checksum)
        try:
            body["language_model"] = LanguageModelSpec.from_json(body["language_model"])
            body["files"] = {name: FileRecord(**record) for name, record in body["files"].items()}
            return cls(**body)
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtifactIncompatible("manifest", f"the fields of format {FORMAT_VERSION}", repr(error)) from error


def plain(value: Json) -> Json:
    """The value as JSON will give it back: lists for tuples, text for keys. ValueError, TypeError where it cannot."""
    found: Json = json.loads(json.dumps(value, allow_nan=False))
    return found


def version_name(dataset: str, identity: Json) -> str:
    """Name of what an artifact answers with, "<dataset>-<hash12>": the same content has the same name."""
    return f"{dataset}-{_checksum(plain(identity))[:12]}"


def _checksum(body: Json) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
