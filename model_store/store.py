"""ModelStore: a folder of published versions. A version is there whole, or it is not there."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from model_store.artifact import Artifact, ArtifactParts, read_contents
from model_store.artifact_checks import check_contents, check_finite
from model_store.durable_files import folder_aside, remove_stale, replace_file, swap_in
from model_store.errors import ArtifactCorrupt, ArtifactIncompatible, ArtifactNotFound
from model_store.language_model_folder import link_language_model
from model_store.language_model_spec import LanguageModelSpec
from model_store.manifest import MANIFEST_FILE, Manifest
from model_store.version_folder import verify_files, write_version

LATEST = "latest"
"""Asks `load` for the version that was published last."""

_LATEST_FILE = "latest.json"
_LOCK_FILE = ".lock"
_LANGUAGE_MODELS = "language_models"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ModelStore:
    """Versions in `root`: one folder each, `latest.json`, and `language_models/` which versions share.

    Readers need no lock and may run while a version is published. Writers take turns.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, parts: ArtifactParts, *, extra_files: Mapping[str, bytes] | None = None) -> str:
        """Publish the parts as `latest`. Returns the version, "<dataset>-<hash12>".

        The hash covers what the artifact answers with (not metrics, time or extra files): publishing the same content
        again keeps the version that is there, unless that one is damaged. ArtifactIncompatible where the parts do not
        fit each other or their LLM was not added; ValueError for a name that is no plain file name.
        """
        extra_files = extra_files or {}
        _check_names(parts, extra_files)
        check_contents(parts, parts.language_model)
        check_finite(parts)
        if not self._language_model_path(parts.language_model).is_dir():
            raise ArtifactIncompatible("language model", f"{parts.language_model.folder} added to the store", "none")
        with self._one_writer(), folder_aside(self.root) as aside:
            version = write_version(parts, extra_files, aside)
            if not self._is_whole(version):
                swap_in(aside, self.root / version)
            replace_file(self.root / _LATEST_FILE, json.dumps({"version": version}).encode())
        return version

    def add_language_model(self, folder: Path, spec: LanguageModelSpec) -> Path:
        """The LLM's folder inside the store, hard-linked (else copied) from `folder` and verified against `spec`.

        ArtifactCorrupt where `folder` holds another model.
        """
        with self._one_writer():
            models = self.root / _LANGUAGE_MODELS
            if models.is_dir():
                remove_stale(models)
            return link_language_model(folder, spec, models)

    def versions(self) -> tuple[str, ...]:
        """Published versions, oldest first."""
        manifests = [path for path in self.root.glob(f"*/{MANIFEST_FILE}") if _NAME.fullmatch(path.parent.name)]
        return tuple(path.parent.name for path in sorted(manifests, key=lambda path: (path.stat().st_mtime_ns, path)))

    def latest(self) -> str:
        """The version published last. ArtifactNotFound where there is none, ArtifactCorrupt for a bad pointer."""
        path = self.root / _LATEST_FILE
        try:
            version = json.loads(path.read_bytes())["version"]
        except FileNotFoundError:
            raise ArtifactNotFound(LATEST, self.root) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactCorrupt(path, "a pointer to a version", repr(error)) from error
        return str(version)

    def manifest(self, version: str = LATEST) -> Manifest:
        """The version's manifest, checked by its own checksum alone. Errors as of `load`."""
        version = self.latest() if version == LATEST else version
        path = self.root / version / MANIFEST_FILE
        if not _NAME.fullmatch(version) or not path.is_file():
            raise ArtifactNotFound(version, self.root)
        found = Manifest.from_bytes(path.read_bytes())
        if found.version != version:
            raise ArtifactCorrupt(path, f"the manifest of {version}", f"that of {found.version}")
        return found

    def load(self, version: str = LATEST, *, verify_language_model: bool = True) -> Artifact:
        """The version, every byte of it checked; its arrays stay in the mapped files until they are used.

        ArtifactNotFound; ArtifactCorrupt says which file differs from what was published; ArtifactIncompatible says
        which part fits neither this code nor the others. `verify_language_model=False` takes the LLM's weights on
        trust (a later restart of a large one), not their presence.
        """
        manifest = self.manifest(version)
        folder = self.root / manifest.version
        verify_files(folder, manifest.files)
        models = self._language_model_path(manifest.language_model)
        if not models.is_dir():
            raise ArtifactCorrupt(models, "the artifact's language model", "no such folder")
        if verify_language_model:
            manifest.language_model.verify(models)
        artifact = Artifact(
            manifest=manifest, path=folder, language_model_path=models, **read_contents(folder, manifest.files)
        )
        check_contents(artifact, manifest.language_model)
        return artifact

    def _language_model_path(self, spec: LanguageModelSpec) -> Path:
        return self.root / _LANGUAGE_MODELS / spec.folder

    def _is_whole(self, version: str) -> bool:
        try:
            verify_files(self.root / version, self.manifest(version).files)
        except (ArtifactNotFound, ArtifactCorrupt, ArtifactIncompatible):
            return False
        return True

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / _LOCK_FILE).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however it ends
            remove_stale(self.root)
            yield


def _check_names(parts: ArtifactParts, extra_files: Mapping[str, bytes]) -> None:
    for name in (parts.dataset, *extra_files):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no plain name: letters, digits, dots, dashes and underscores")
