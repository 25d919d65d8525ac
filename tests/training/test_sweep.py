"""A sweep over the checkerboard: every combination once, what is common made once, nothing published."""

import json

import pytest
from typer.testing import CliRunner

from model_store.store import ModelStore
from tests.artifacts import tiny_language_model
from tests.training.graphs import write_checkerboard
from training.__main__ import app
from training.config import ConfigError, DataConfig, RunConfig, TokenizerConfig, VectorsConfig, ZeroShotConfig
from training.run import STAGES_FOLDER
from training.sweep import seeds_of, settings_of, sweep, variants

CONFIG = RunConfig(
    name="checkerboard",
    data=DataConfig(reader="tabular"),
    vectors=VectorsConfig(dim_per_level=2),
    tokenizer=TokenizerConfig(codebook_size=8, text_dim=0),
    zero_shot=ZeroShotConfig(user_share=0, item_share=0),
)


def test_settings_are_toml_values_or_words():
    """Numbers, lists and quoted texts as in TOML; a bare word is a text."""
    said = [
        "tokenizer.codebook_size=64,128",
        "vectors.start=spectral,xavier",
        'name="a,b"',
        "controls.train=[],['random']",
    ]
    assert settings_of(said) == {
        "tokenizer.codebook_size": [64, 128],
        "vectors.start": ["spectral", "xavier"],
        "name": ["a,b"],
        "controls.train": [[], ["random"]],
    }
    assert seeds_of("0, 2") == [0, 2]
    assert seeds_of("") == []


@pytest.mark.parametrize("said", ["tokenizer.codebook_size", "=1", "seed="])
def test_a_setting_without_key_or_value_is_refused(said):
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        settings_of([said])


def test_every_combination_has_every_seed():
    """Two keys of two values and two seeds are eight variants; without seeds the config's own."""
    settings = {"tokenizer.codebook_size": [4, 8], "tokenizer.kmeans_iterations": [3, 5]}
    found = list(variants(CONFIG, settings, [0, 1]))
    assert (
        len({(v.config.tokenizer.codebook_size, v.config.tokenizer.kmeans_iterations, v.config.seed) for v in found})
        == 8
    )
    assert found[-1].changes == {"tokenizer.codebook_size": 8, "tokenizer.kmeans_iterations": 5}
    assert [v.config for v in variants(CONFIG, {}, [])] == [CONFIG]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tokenizer.codebok_size", 4, "did you mean 'codebook_size'"),
        ("tokenizer.codebook_size", "many", "expected int"),
        ("seed.of", 1, "seed is a value"),
        ("seeds", 1, "did you mean 'seed'"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_runs(key, value, said):
    with pytest.raises(ConfigError, match=said):
        list(variants(CONFIG, {key: [value]}, []))


def test_variants_share_what_they_have_in_common(tmp_path):
    """Codebooks of two sizes over one seed's vectors; the one that data cannot fill fails alone, all is in the JSON."""
    data, store, out = write_checkerboard(tmp_path / "data"), tmp_path / "store", tmp_path / "sweep.json"
    chosen = list(variants(CONFIG, {"tokenizer.codebook_size": [4, 8, 512]}, [3]))
    trials = sweep(chosen, data, store, until="tokens", json_out=out)
    made = sorted(path.name.split("-")[0] for path in (store / STAGES_FOLDER).iterdir() if path.suffix == "")
    assert made == sorted(["vectors", *["tokenizer", "codebooks", "ranking", "zero_shot"] * 2])
    assert [bool(trial.error) for trial in trials] == [False, False, True]
    assert "lower codebook_size" in trials[2].error
    said = json.loads(out.read_text())
    assert [trial["figures"] for trial in said["trials"]] == [trial.figures for trial in trials]
    assert [summary["seeds"] for summary in said["summaries"]] == [[3], [3], []]
    assert ModelStore(store).versions() == ()


def test_the_command_runs_to_the_report_and_publishes_nothing(tmp_path):
    """Two seeds with a tiny LLM: explanations are among the figures, exit code 0; a failing variant: 1."""
    tiny_language_model(tmp_path / "llm")
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        [data]
        reader = "tabular"
        [vectors]
        dim_per_level = 2
        [tokenizer]
        codebook_size = 8
        text_dim = 0
        [projector]
        language_model = "{tmp_path / "llm"}"
        num_style = 2
        max_steps = 1
        batch_size = 2
        max_target_tokens = 8
        [evaluation]
        max_rows = 4
        max_texts = 0
        rerank_users = 0
        [zero_shot]
        user_share = 0
        item_share = 0
        """
    )
    store, out = tmp_path / "store", tmp_path / "out.json"
    asked = ["sweep", str(config), "--data", str(write_checkerboard(tmp_path / "data")), "--store", str(store)]
    result = CliRunner().invoke(app, [*asked, "--seeds", "0,1", "--json", str(out)])
    assert result.exit_code == 0, result.output
    (summary,) = json.loads(out.read_text())["summaries"]
    assert summary["seeds"] == [0, 1]
    assert {"kept", "NLL", "item margin"} <= set(summary["mean"])
    assert ModelStore(store).versions() == ()
    failed = CliRunner().invoke(app, [*asked, "--set", "tokenizer.codebook_size=512", "--until", "tokens"])
    assert failed.exit_code == 1
