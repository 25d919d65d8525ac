"""Stage cache: what a stage made, kept under a key of everything it was made from.

<root>/<stage>-<key>/            tensors.safetensors and facts.json, there whole or not at all
<root>/<stage>-<key>.unfinished/ what an interrupted stage may go on from; removed when the stage ends
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from model_store.durable_files import folder_aside, swap_in, write_file
from model_store.errors import ArtifactCorrupt
from model_store.tensor_file import Tensors, load_tensors, save_tensors

Json = dict[str, Any]

TENSORS_FILE = "tensors.safetensors"
FACTS_FILE = "facts.json"
KEY_DIGITS = 16


@dataclass(frozen=True, eq=False)
class StageOutput:
    """Tensors by name, and JSON facts beside them."""

    tensors: Tensors = field(default_factory=dict)
    facts: Json = field(default_factory=dict)


def stage_key(stage: str, *, code_format: int, config: Json, inputs: Sequence[str]) -> str:
    """Key of a stage's output: equal only for the same stage, code format, config and inputs.

    `inputs` are the keys of the stages before it and digests of the data it reads; through them the config of every
    earlier stage counts too. Raise `code_format` with any change to what the stage makes of the same inputs.
    """
    said = json.dumps([stage, code_format, config, list(inputs)], sort_keys=True, allow_nan=False)
    return sha256(said.encode()).hexdigest()[:KEY_DIGITS]


class StageCache:
    """Finished outputs of stages in `root`. One process may write at a time; readers need no lock."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, stage: str, key: str) -> StageOutput | None:
        """What the stage made under this key, its tensors mapped from the file; None if it has not or it is damaged."""
        folder = self.root / f"{stage}-{key}"
        try:
            facts = json.loads((folder / FACTS_FILE).read_bytes())
            return StageOutput(load_tensors(folder / TENSORS_FILE), facts)
        except (FileNotFoundError, ValueError, ArtifactCorrupt):
            return None

    def get_or_make(self, stage: str, key: str, make: Callable[[Path], StageOutput]) -> StageOutput:
        """What the stage made under this key; made now if it is not there.

        `make` is given a folder for checkpoints. It is there again, with what was left in it, when an interrupted stage
        starts anew under the same key. The output given back is read from the file, made or found: both ways the same.
        """
        found = self.get(stage, key)
        if found is not None:
            return found
        unfinished = self.root / f"{stage}-{key}.unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        output = make(unfinished)
        with folder_aside(self.root) as aside:
            save_tensors(aside / TENSORS_FILE, output.tensors)
            write_file(aside / FACTS_FILE, json.dumps(output.facts, ensure_ascii=False, allow_nan=False).encode())
            swap_in(aside, self.root / f"{stage}-{key}")
        shutil.rmtree(unfinished)
        kept = self.get(stage, key)
        assert kept is not None, f"{stage}-{key} was written just now"
        return kept
