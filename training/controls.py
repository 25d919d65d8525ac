"""Controls: soft prompts trained just as the version's own, that cannot know what the tokens should tell.

identity_free: every user and every item has the same vector in each slot. What it reaches is manner, not knowledge.
random: every node has fixed random codes, and every code starts at a fixed random vector. ReXRec (TMLR 2025) found
that such vectors in place of a graph's explained just as well: the margin of this arm should be nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np

from model_store.embeddings import Vectors
from model_store.errors import ArtifactCorrupt
from model_store.quantizer import Codes
from model_store.soft_tokens import SoftTokenTable
from model_store.tensor_file import Tensors, load_tensors, save_tensors
from training.config import ControlName
from training.projector import SideInputs
from training.token_source import TokenSource

CONTROLS_FILE = "controls.safetensors"
PARTS = ("style", "user", "item", "user_codes", "item_codes")


@dataclass(frozen=True, eq=False)
class ControlInputs:
    """What a control's side starts from in place of the version's own. Shapes: codes (n, 6)."""

    inputs: SideInputs
    codes: Codes


def control_inputs(name: ControlName, inputs: SideInputs, codes: Codes, rng: np.random.Generator) -> ControlInputs:
    """The control's start of a side whose own start is this."""
    if name == "identity_free":
        used = SideInputs(*(each.mean(axis=1, keepdims=True) for each in (inputs.codewords, inputs.anchors)))
        used = SideInputs(used.codewords, _as_long(used.anchors, inputs.anchors))
        return ControlInputs(used, np.zeros_like(codes))
    codewords, anchors = (rng.normal(size=each.shape).astype(np.float32) for each in (inputs.codewords, inputs.anchors))
    # Codes of another node: as many nodes share a code as before, and nothing is known of which.
    return ControlInputs(SideInputs(codewords, _as_long(anchors, inputs.anchors)), codes[rng.permutation(len(codes))])


def _as_long(vectors: Vectors, like: Vectors) -> Vectors:
    """The vectors, each as long as those of `like` mostly are. Shapes: (..., hidden)."""
    length = np.median(np.linalg.norm(like, axis=-1))
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors * length / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def control_tensors(source: TokenSource) -> Tensors:
    """The control as tensors: what its stage puts out."""
    codes = {"user_codes": source.user_codes, "item_codes": source.item_codes}
    return {**source.table.to_tensors(), **codes}


def control_source(tensors: Tensors) -> TokenSource:
    """The control of `control_tensors`. KeyError, ValueError as of SoftTokenTable."""
    return TokenSource(SoftTokenTable.from_tensors(tensors), tensors["user_codes"], tensors["item_codes"])


def controls_bytes(sources: Mapping[ControlName, TokenSource]) -> bytes:
    """All controls of a version as one safetensors file, tensors named "<control>.<part>"."""
    tensors = {
        f"{name}.{part}": tensor for name, source in sources.items() for part, tensor in control_tensors(source).items()
    }
    with TemporaryDirectory() as scratch:
        save_tensors(Path(scratch) / CONTROLS_FILE, tensors)
        return (Path(scratch) / CONTROLS_FILE).read_bytes()


def read_controls(folder: Path) -> dict[ControlName, TokenSource]:
    """The controls that were published with the version in this folder; none where it has no such file.

    ArtifactCorrupt where a part is missing or does not fit.
    """
    path = folder / CONTROLS_FILE
    if not path.is_file():
        return {}
    tensors = load_tensors(path)
    names: list[ControlName] = [name for name in get_args(ControlName) if f"{name}.style" in tensors]
    try:
        return {name: control_source({part: tensors[f"{name}.{part}"] for part in PARTS}) for name in names}
    except (KeyError, ValueError) as error:
        raise ArtifactCorrupt(path, f"the parts {', '.join(PARTS)} of every control", error) from error
