"""The stage cache: made once, never half, made again when anything it stands on changes."""

from typing import Any

import numpy as np
import pytest

from training.stages import FACTS_FILE, TENSORS_FILE, StageCache, StageOutput, stage_key

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


class Maker:
    """A stage that counts how often it runs."""

    def __init__(self):
        self.runs = 0

    def __call__(self, checkpoints):
        self.runs += 1
        return StageOutput({"x": ARRAY * self.runs}, {"run": self.runs})


class Interrupted:
    """A stage that leaves a checkpoint and is stopped the first time, and goes on from it the second."""

    def __init__(self):
        self.found = []

    def __call__(self, checkpoints):
        self.found.append(sorted(path.name for path in checkpoints.iterdir()))
        if not self.found[-1]:
            (checkpoints / "step-7").write_text("half way")
            raise KeyboardInterrupt
        return StageOutput(facts={"resumed": True})


def test_a_finished_stage_is_reused(tmp_path):
    """The second call, of another process even, finds what the first made, bit for bit."""
    make = Maker()
    first = StageCache(tmp_path).get_or_make("vectors", "k1", make)
    second = StageCache(tmp_path).get_or_make("vectors", "k1", make)
    assert make.runs == 1
    assert first.facts == second.facts == {"run": 1}
    np.testing.assert_array_equal(second.tensors["x"], ARRAY)


def test_another_key_or_stage_is_made_anew(tmp_path):
    """Neither key nor stage is mistaken for another."""
    make, cache = Maker(), StageCache(tmp_path)
    for stage, key in (("vectors", "k1"), ("vectors", "k2"), ("tokens", "k1")):
        cache.get_or_make(stage, key, make)
    assert make.runs == 3


def test_an_interrupted_stage_leaves_nothing_finished_and_goes_on_from_its_checkpoint(tmp_path):
    """After Ctrl-C there is no output; the same key finds its checkpoint; at the end the checkpoint is gone."""
    make, cache = Interrupted(), StageCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache.get_or_make("projector", "k1", make)
    assert cache.get("projector", "k1") is None
    assert cache.get_or_make("projector", "k1", make).facts == {"resumed": True}
    assert make.found == [[], ["step-7"]]
    assert [path.name for path in tmp_path.iterdir()] == ["projector-k1"]


@pytest.mark.parametrize("file", [TENSORS_FILE, FACTS_FILE])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_output_is_made_again(tmp_path, file, damage):
    """A truncated or missing file is no output: the stage runs again and repairs it."""
    make, cache = Maker(), StageCache(tmp_path)
    cache.get_or_make("vectors", "k1", make)
    path = tmp_path / "vectors-k1" / file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:5])
    else:
        path.unlink()
    assert cache.get_or_make("vectors", "k1", make).facts == {"run": 2}
    assert StageCache(tmp_path).get_or_make("vectors", "k1", make).facts == {"run": 2}


def test_the_key_changes_with_everything_the_stage_stands_on():
    """Stage, code format, config and inputs each change the key; the order of config keys does not."""
    base: dict[str, Any] = {"code_format": 1, "config": {"a": 1, "b": 2}, "inputs": ["x", "y"]}
    key = stage_key("s", **base)
    assert key == stage_key("s", **{**base, "config": {"b": 2, "a": 1}})
    others = [
        stage_key("t", **base),
        stage_key("s", **{**base, "code_format": 2}),
        stage_key("s", **{**base, "config": {"a": 1, "b": 3}}),
        stage_key("s", **{**base, "inputs": ["y", "x"]}),
    ]
    assert len({key, *others}) == 5


def test_facts_are_plain_json(tmp_path):
    """NaN has no place in JSON: a stage that puts one out fails at once and leaves nothing finished."""
    cache = StageCache(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        cache.get_or_make("s", "k", lambda _: StageOutput(facts={"loss": float("nan")}))
    assert cache.get("s", "k") is None
