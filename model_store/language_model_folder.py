"""A frozen LLM's folder inside a store: named by its content, shared by all versions trained for it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from model_store.durable_files import folder_aside, swap_in
from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import LanguageModelSpec

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES}
"""Another file system, one without links, too many links, or a source that may be read but not linked."""


def link_language_model(source: Path, spec: LanguageModelSpec, models: Path) -> Path:
    """`models / spec.folder`, holding the source folder's files and checked to be the model of `spec`.

    Files are hard-linked, or copied where the file systems differ; hidden files and sub-folders stay behind. A folder
    that is there and whole is kept, a damaged one replaced. ArtifactCorrupt where the source is another model.
    """
    target = models / spec.folder
    if _is_whole(target, spec):
        return target
    models.mkdir(parents=True, exist_ok=True)
    with folder_aside(models) as aside:
        for path in sorted(source.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                _link_or_copy(path.resolve(), aside / path.name)  # resolved: hub caches are folders of symbolic links
        spec.verify(aside)
        swap_in(aside, target)
    return target


def _is_whole(folder: Path, spec: LanguageModelSpec) -> bool:
    try:
        spec.verify(folder)
    except (ArtifactCorrupt, ArtifactIncompatible):
        return False
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)
