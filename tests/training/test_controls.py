"""Controls: trained as the projector is, on codes and vectors that know nothing."""

from pathlib import Path

import numpy as np
import pytest

from model_store.errors import ArtifactCorrupt
from model_store.soft_tokens import WordKeys
from model_store.tensor_file import save_tensors
from tests.training.workshops import CODEBOOK_SIZE, CONFIG, ToyWorkshop, toy_lesson, toy_workshop
from training.controls import CONTROLS_FILE, control_side, controls_bytes, read_controls
from training.projector import SideStart
from training.projector_stages import control_stages
from training.stages import StageCache


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


@pytest.fixture
def side() -> tuple[SideStart, np.ndarray]:
    rng = np.random.default_rng(0)
    codewords = rng.normal(size=(6, 4, 3)).astype(np.float32)
    keys = WordKeys(np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32))
    return SideStart(codewords, keys), rng.integers(0, 4, (50, 6)).astype(np.uint16)


def test_identity_free_is_one_code_for_all(side):
    """One codeword a level, the mean of the version's own; every node has it."""
    start, codes = side
    control = control_side("identity_free", start, codes, np.random.default_rng(0))
    assert control.start.codewords.shape == (6, 1, 3)
    np.testing.assert_allclose(control.start.codewords[:, 0], start.codewords.mean(axis=1), rtol=1e-6)
    assert not control.codes.any()


def test_random_codes_are_those_of_other_nodes(side):
    """The same code tuples, dealt out anew: how often each occurs stays, whose it is does not; vectors are new."""
    start, codes = side
    control = control_side("random", start, codes, np.random.default_rng(1))
    assert sorted(map(tuple, control.codes.tolist())) == sorted(map(tuple, codes.tolist()))
    assert (control.codes != codes).any(axis=1).mean() > 0.9
    size, own = (np.square(each.codewords).mean() for each in (control.start, start))
    assert size == pytest.approx(own, rel=0.5)
    assert np.abs((control.start.codewords * start.codewords).mean()) < own / 2


def test_both_are_trained_once_and_read_back(toy, tmp_path):
    """As many steps as the projector; what was published reads back the same; a second call trains nothing."""
    cache = StageCache(tmp_path / "stages")
    first, again = (control_stages(toy_lesson(toy), ("identity_free", "random"), cache) for _ in range(2))
    assert len(list(cache.root.iterdir())) == 2
    assert {name: len(losses) for name, losses in first.losses.items()} == dict.fromkeys(
        first.sources, CONFIG.max_steps
    )
    assert first.key == again.key
    (tmp_path / CONTROLS_FILE).write_bytes(controls_bytes(first.sources))
    found = read_controls(tmp_path)
    assert list(found) == ["identity_free", "random"]
    for name, source in first.sources.items():
        np.testing.assert_array_equal(found[name].tokens.item.outer, source.tokens.item.outer)
        np.testing.assert_array_equal(found[name].user_codes, source.user_codes)
    assert found["identity_free"].tokens.codebook_size == 1
    assert found["random"].tokens.codebook_size == CODEBOOK_SIZE


def test_none_are_trained_unless_asked_for(toy, tmp_path):
    assert control_stages(toy_lesson(toy), (), StageCache(tmp_path / "stages")).sources == {}
    assert read_controls(tmp_path) == {}


def test_a_control_with_a_part_missing_is_refused(tmp_path):
    save_tensors(tmp_path / CONTROLS_FILE, {"random.style": np.zeros((2, 4), np.float32)})
    with pytest.raises(ArtifactCorrupt, match="words"):
        read_controls(tmp_path)
