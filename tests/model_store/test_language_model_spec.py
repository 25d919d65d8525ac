"""LanguageModelSpec: the model an artifact was trained for, recognised by its bytes."""

import json
from pathlib import Path

import pytest

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import LanguageModelSpec
from tests.artifacts import CHAT, HIDDEN_SIZE, tiny_language_model


def test_a_folder_describes_itself(tmp_path):
    """Width, vocabulary, end token, dtype and content-addressed name come from the folder's own files."""
    spec = tiny_language_model(tmp_path)
    assert (spec.hidden_size, spec.vocab_size) == (HIDDEN_SIZE, 256 + 3)
    assert spec.eos_token_ids == (258,)
    assert spec.dtype == "float32"
    assert spec.folder == f"tiny-llama-{spec.sha256[:12]}"
    assert spec.embedding_scale == 1.0
    assert spec.embedding_rms == pytest.approx(0.3, rel=0.05)  # made with standard deviation 0.3


def test_json_there_and_back_is_the_same_spec(tmp_path):
    """Nothing is lost through the manifest."""
    spec = tiny_language_model(tmp_path)
    assert LanguageModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_one_other_byte_is_found(tmp_path, file):
    """verify refuses weights or a tokenizer that changed in a single byte, and accepts what is whole."""
    spec = tiny_language_model(tmp_path)
    spec.verify(tmp_path)
    path = tmp_path / file
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactCorrupt, match=spec.sha256):
        spec.verify(tmp_path)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"rope_parameters": {"rope_theta": 5.0, "rope_type": "default"}}),
        ("config.json", {"rms_norm_eps": 0.5}),
        ("generation_config.json", {"repetition_penalty": 1.3}),
    ],
)
def test_another_configuration_is_another_model(tmp_path, file, change):
    """Same weights, other rotary base, norm or sampling: other answers, so verify refuses it."""
    spec = tiny_language_model(tmp_path)
    _change(tmp_path / file, change)
    with pytest.raises(ArtifactCorrupt, match=spec.sha256):
        spec.verify(tmp_path)


def test_who_wrote_a_configuration_does_not_matter(tmp_path):
    """Another layout and another version of transformers in the file: the same model."""
    spec = tiny_language_model(tmp_path)
    _change(tmp_path / "config.json", {"transformers_version": "0.0.1", "_name_or_path": "elsewhere"})
    spec.verify(tmp_path)


def test_a_generation_config_that_is_gone_is_found(tmp_path):
    """What stood in it no longer holds."""
    spec = tiny_language_model(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    with pytest.raises(ArtifactCorrupt, match=spec.sha256):
        spec.verify(tmp_path)


def _change(path: Path, change: dict[str, object]) -> None:
    """The file's object with these entries, its keys in another order."""
    found = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps(dict(sorted(found.items(), reverse=True)), indent=7))


def test_a_missing_tokenizer_is_corrupt(tmp_path):
    """A folder without tokenizer.json is refused by that name."""
    spec = tiny_language_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json"):
        spec.verify(tmp_path)


def test_several_end_tokens_are_all_kept(tmp_path):
    """generation_config.json may list more than one, as Llama 3's does."""
    tiny_language_model(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258, 256]}))
    assert LanguageModelSpec.of_folder(tmp_path, name="tiny").eos_token_ids == (258, 256)


def test_a_model_without_an_end_token_is_refused(tmp_path):
    """Without one, no answer would ever end by itself."""
    tiny_language_model(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "eos_token_id": None}))
    with pytest.raises(ArtifactIncompatible, match="eos_token_id"):
        LanguageModelSpec.of_folder(tmp_path, name="tiny")


@pytest.mark.parametrize("name", ["../../etc/passwd", "org/model:7b", "..", "Ünïcode model"])
def test_no_name_leads_out_of_the_store(tmp_path, name):
    """Whatever a model is called, its folder is one plain path component."""
    tiny_language_model(tmp_path)
    folder = LanguageModelSpec.of_folder(tmp_path, name=name).folder
    assert "/" not in folder
    assert "\\" not in folder
    assert not folder.startswith(".")


def test_a_spec_of_another_form_is_incompatible(tmp_path):
    """Unknown and missing keys are refused, with the expected ones named."""
    found = tiny_language_model(tmp_path).to_json()
    for wrong in ({**found, "surprise": 1}, {key: found[key] for key in found if key != "sha256"}):
        with pytest.raises(ArtifactIncompatible):
            LanguageModelSpec.from_json(wrong)


def test_the_chat_markup_survives(tmp_path):
    """The markup is part of the spec, so that serving never asks a template engine."""
    spec = tiny_language_model(tmp_path)
    assert LanguageModelSpec.from_json(spec.to_json()).chat == CHAT
