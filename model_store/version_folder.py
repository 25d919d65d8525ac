"""One version's folder: all its files written and listed in the manifest, or all of them verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from model_store.artifact import ArtifactParts, write_contents
from model_store.durable_files import sha256_of, write_file
from model_store.errors import ArtifactCorrupt
from model_store.manifest import MANIFEST_FILE, FileRecord, Manifest, version_name
from model_store.types import NUM_CODES

_HASHERS = 4


def write_version(parts: ArtifactParts, extra_files: Mapping[str, bytes], folder: Path) -> str:
    """Write the parts, the extra files and the manifest into an empty folder. Returns the version's name.

    ValueError for an extra file that would take the name of one of the artifact's own.
    """
    names = write_contents(parts, folder)
    for name, data in extra_files.items():
        if name in (*names, MANIFEST_FILE):
            raise ValueError(f"{name} is one of the artifact's own files")
        write_file(folder / name, data)
    manifest = _manifest(parts, _records(folder, names), _records(folder, extra_files))
    write_file(folder / MANIFEST_FILE, manifest.to_bytes())
    return manifest.version


def verify_files(folder: Path, files: Mapping[str, FileRecord]) -> None:
    """Returns when every file is what the manifest says, else ArtifactCorrupt names the first that is not.

    Sizes first, as they cost nothing; then all checksums side by side (hashing lets go of the interpreter's lock).
    """
    for name, record in files.items():
        size = (folder / name).stat().st_size if (folder / name).is_file() else None
        if size != record.bytes:
            found = "no file" if size is None else f"{size} bytes"
            raise ArtifactCorrupt(folder / name, f"{record.bytes} bytes", found)
    with ThreadPoolExecutor(_HASHERS) as pool:
        digests = pool.map(sha256_of, [folder / name for name in files])
        for (name, record), digest in zip(files.items(), digests, strict=True):
            if digest != record.sha256:
                raise ArtifactCorrupt(folder / name, f"sha256 {record.sha256}", digest)


def _manifest(parts: ArtifactParts, own: Mapping[str, FileRecord], extra: Mapping[str, FileRecord]) -> Manifest:
    soft, llm = parts.soft_tokens, parts.language_model
    tokens = {"levels": NUM_CODES, "codebook_size": soft.codebook_size}
    counts = {"users": len(parts.user_ids), "items": len(parts.catalog)}
    # Metrics and reports hold running times: they describe a version, they do not make it another one.
    identity = {"files": {name: record.sha256 for name, record in own.items()}, "language_model": llm.to_json()}
    return Manifest(
        version=version_name(
            parts.dataset, {**identity, "config": parts.config, "prompt_template": parts.prompt_template}
        ),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        dataset=parts.dataset,
        config=parts.config,
        language_model=llm,
        prompt_template=parts.prompt_template,
        tokens={**tokens, "num_style": len(soft.style), "hidden_size": soft.hidden_size},
        counts={**counts, "interactions": len(parts.histories.indices)},
        metrics=parts.metrics,
        files={**own, **extra},
    )


def _records(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    return {name: FileRecord(sha256_of(folder / name), (folder / name).stat().st_size) for name in names}
