"""Controls: soft prompts trained just as the version's own, that cannot know what the tokens should tell.

identity_free: every user and every item has the same vector in each slot. What it reaches is manner, not knowledge.
random: every node has fixed random codes, and every code is a fixed random vector, so that it starts at random words.
ReXRec (TMLR 2025) found that such vectors in place of a graph's explained just as well: the margin of this arm should
be nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np

from model_store.errors import ArtifactCorrupt
from model_store.quantizer import Codes
from model_store.soft_tokens import SoftTokens
from model_store.tensor_file import Tensors, load_tensors, save_tensors
from training.config import ControlName
from training.projector import SideStart
from training.token_source import TokenSource

CONTROLS_FILE = "controls.safetensors"


@dataclass(frozen=True, eq=False)
class ControlSide:
    """What a control's side starts from in place of the version's own. Shapes: codes (n, 6)."""

    start: SideStart
    codes: Codes


def control_side(name: ControlName, start: SideStart, codes: Codes, rng: np.random.Generator) -> ControlSide:
    """The control's start of a side whose own start is this."""
    if name == "identity_free":
        same = replace(start, codewords=start.codewords.mean(axis=1, keepdims=True))
        return ControlSide(same, np.zeros_like(codes))
    # As large in every level and dimension as the codewords are. With codes of another node as many nodes share a code
    # as before, and nothing is known of which.
    size = np.sqrt(np.square(start.codewords).mean(axis=1, keepdims=True))
    codewords = (size * rng.normal(size=start.codewords.shape)).astype(np.float32)
    return ControlSide(replace(start, codewords=codewords), codes[rng.permutation(len(codes))])


def control_tensors(source: TokenSource) -> Tensors:
    """The control as tensors: what its stage puts out."""
    codes = {"user_codes": source.user_codes, "item_codes": source.item_codes}
    return {**source.tokens.to_tensors(), **codes}


def control_source(tensors: Tensors) -> TokenSource:
    """The control of `control_tensors`. KeyError, ValueError as of SoftTokens."""
    return TokenSource(SoftTokens.from_tensors(tensors), tensors["user_codes"], tensors["item_codes"])


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
        return {name: control_source(_of(name, tensors)) for name in names}
    except (KeyError, ValueError) as error:
        raise ArtifactCorrupt(path, "the soft tokens and codes of every control", error) from error


def _of(name: ControlName, tensors: Tensors) -> Tensors:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
