import shutil

import pytest

from model_store.errors import ArtifactCorrupt
from model_store.language_model_folder import link_language_model
from tests.artifacts import tiny_language_model


@pytest.fixture
def downloaded(tmp_path):
    """A folder as a download leaves it, with the model's spec."""
    return tmp_path / "cache", tiny_language_model(tmp_path / "cache")


def test_the_folder_holds_the_same_files_as_links(downloaded, tmp_path):
    """No second copy of the weights; the name tells the content."""
    source, spec = downloaded
    target = link_language_model(source, spec, tmp_path / "models")
    assert target == tmp_path / "models" / f"tiny-llama-{spec.sha256[:12]}"
    assert {path.name for path in target.iterdir()} == {path.name for path in source.iterdir()}
    assert (target / "model.safetensors").samefile(source / "model.safetensors")
    assert [path.name for path in (tmp_path / "models").iterdir()] == [target.name]


def test_symbolic_links_of_a_hub_cache_are_followed(downloaded, tmp_path):
    """The hub's cache is a folder of links to blobs; the store keeps the blobs' bytes."""
    source, spec = downloaded
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / ".cache").mkdir()
    for path in source.iterdir():
        (snapshot / path.name).symlink_to(path)
    target = link_language_model(snapshot, spec, tmp_path / "models")
    assert not any(path.is_symlink() for path in target.iterdir())
    assert (target / "model.safetensors").samefile(source / "model.safetensors")
    assert not (target / ".cache").exists()


def test_a_whole_folder_is_kept(downloaded, tmp_path):
    """Adding twice works without the source."""
    source, spec = downloaded
    target = link_language_model(source, spec, tmp_path / "models")
    before = target.stat().st_ino
    shutil.rmtree(source)
    assert link_language_model(source, spec, tmp_path / "models") == target
    assert target.stat().st_ino == before


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_folder_is_replaced(downloaded, tmp_path, name):
    """A file that was lost or changed comes back from the source."""
    source, spec = downloaded
    target = link_language_model(source, spec, tmp_path / "models")
    (target / name).unlink()
    link_language_model(source, spec, tmp_path / "models")
    spec.verify(target)
    assert (target / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_another_model_is_refused_and_nothing_is_left(downloaded, tmp_path, name):
    """A source that is not the model of the spec never gets its name."""
    source, spec = downloaded
    data = bytearray((source / name).read_bytes())
    data[-1] ^= 1
    (source / name).write_bytes(data)
    with pytest.raises(ArtifactCorrupt):
        link_language_model(source, spec, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
