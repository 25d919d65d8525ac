"""The projector's stage: kept by content, and reading back what it wrote."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.soft_tokens import SoftTokens
from tests.training.workshops import (
    CODEBOOK_SIZE,
    CONFIG,
    ToyWorkshop,
    style_length,
    toy_lesson,
    toy_projector,
    toy_workshop,
)
from training.projector_stages import projector_stage
from training.run_log import Point
from training.stages import StageCache


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


def names(folder: Path) -> list[str]:
    """Which stages have been made, each as often as it was made."""
    return sorted(path.name.split("-")[0] for path in folder.iterdir())


def test_the_seed_decides_where_a_projector_starts(toy):
    first, again, other = (toy_projector(toy, seed=seed) for seed in (0, 0, 1))
    assert (first.user.inner.weight == again.user.inner.weight).all()
    assert not (first.user.inner.weight == other.user.inner.weight).all()


def test_the_projector_is_trained_once(toy, tmp_path):
    """The second call reads it back; another seed or config trains anew, and each step's losses are kept."""
    cache = StageCache(tmp_path)

    def make(seed: int = 0, config=CONFIG):
        return projector_stage(toy_lesson(toy, config, seed), cache)

    first, again = make(), make()
    assert names(cache.root) == ["projector"]
    assert first.tensors["user.outer"].tobytes() == again.tensors["user.outer"].tobytes()
    soft = SoftTokens.from_tensors(first.tensors)
    sizes = (soft.codebook_size, soft.num_soft, soft.hidden_size)
    assert sizes == (CODEBOOK_SIZE, CONFIG.num_soft, toy.workshop.language_model.spec.hidden_size)
    assert len(soft.style) == style_length(toy) > CONFIG.num_style
    assert np.shape(first.facts["losses"]) == (CONFIG.max_steps, 2)
    make(seed=1)
    make(config=replace(CONFIG, width=9))
    assert names(cache.root) == ["projector"] * 3


def test_losses_are_told_while_it_trains(toy, tmp_path):
    """Every step as it is made; a run that was cut off goes on from its checkpoint with the same losses."""
    cut_after, heard = 4, []

    def log(point: Point) -> None:
        heard.append(point)
        if len(heard) == 2 * cut_after:
            raise KeyboardInterrupt

    cache = StageCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        projector_stage(toy_lesson(toy, log=log), cache)
    losses = projector_stage(toy_lesson(toy, log=log), cache).facts["losses"]
    steps = [*range(1, cut_after + 1), *range(3, CONFIG.max_steps + 1)]  # two were after the last checkpoint
    assert heard == [
        Point(f"projector/{name}", losses[step - 1][place], step)
        for step in steps
        for place, name in enumerate(("nll", "alignment"))
    ]


def test_a_catalogue_without_texts_has_no_words(toy):
    """Nor has any with anchors switched off."""
    found = toy_lesson(toy, replace(CONFIG, anchored=False)).anchors
    assert len(found.words) == 0
    assert found.words.hidden_size == toy.workshop.language_model.spec.hidden_size
