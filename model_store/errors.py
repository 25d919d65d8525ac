"""What can go wrong with artifacts and ids.

ModelStoreError
+-- ArtifactNotFound       no such version (or nothing published yet)
+-- ArtifactCorrupt        a file is missing, damaged or not what the manifest says
+-- ArtifactIncompatible   whole, but not for this code, or its parts disagree
+-- UnknownId              an outside id the data set does not have
"""

from __future__ import annotations

from pathlib import Path


class ModelStoreError(Exception):
    """Base of every error of this package."""


class ArtifactNotFound(ModelStoreError):
    """There is no artifact `version` in `store`."""

    def __init__(self, version: str, store: str | Path) -> None:
        super().__init__(f"no artifact {version!r} in {store}")
        self.version = version
        self.store = str(store)


class ArtifactCorrupt(ModelStoreError):
    """`file` does not hold what was published."""

    def __init__(self, file: str | Path, expected: object, found: object) -> None:
        super().__init__(f"{file}: expected {expected}, found {found}")
        self.file = str(file)
        self.expected = expected
        self.found = found


class ArtifactIncompatible(ModelStoreError):
    """`what` of an artifact does not fit this code or the artifact's other parts."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")
        self.what = what
        self.expected = expected
        self.found = found


class UnknownId(ModelStoreError):
    """The data set has no `kind` ("user", "item") with this outside id."""

    def __init__(self, kind: str, outside_id: object) -> None:
        super().__init__(f"unknown {kind} id {outside_id!r}")
        self.kind = kind
        self.outside_id = outside_id
