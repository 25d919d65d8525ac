"""The run config: what TOML may say, and what is refused with a hint."""

from dataclasses import fields, is_dataclass

import pytest

from training.config import ConfigError, RunConfig, config_from_toml, read_config
from training.toml_fields import build, documented, field_docs


def every_config(config):
    """The config and every table in it."""
    yield config
    for item in fields(config):
        if is_dataclass(getattr(config, item.name)):
            yield from every_config(getattr(config, item.name))


def test_what_is_not_said_has_its_default():
    """An empty file is the default config; one key changes one field."""
    assert config_from_toml("") == RunConfig()
    changed = config_from_toml('name = "x"\n[vectors]\nmax_epochs = 3')
    assert (changed.name, changed.vectors.max_epochs, changed.tokenizer) == ("x", 3, RunConfig().tokenizer)


def test_the_printed_defaults_are_the_defaults():
    """What `beat-train config` prints reads back as the same config."""
    assert config_from_toml("\n".join(documented(RunConfig()))) == RunConfig()


def test_what_the_manifest_keeps_reads_back():
    """The JSON form, tuples turned to lists, builds the same config."""
    assert build(RunConfig, RunConfig().to_json()) == RunConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[vectrs]", "unknown key 'vectrs'; did you mean 'vectors'?"),
        ("[vectors]\nmax_epoch = 1", "unknown key 'vectors.max_epoch'; did you mean 'max_epochs'?"),
        ("[supervision.taste]\nmin_lif = 1.0", "unknown key 'supervision.taste.min_lif'; did you mean 'min_lift'?"),
        ("[data]\nzzz = 1", "unknown key 'data.zzz'; known here: reader, folder"),
        ("vectors = 1", "vectors: expected a table, found 1"),
        ("[vectors]\nmax_epochs = true", "vectors.max_epochs: expected int, found True"),
        ("[vectors]\nmax_epochs = 1.5", "vectors.max_epochs: expected int, found 1.5"),
        ("[vectors]\nlearning_rate = 'fast'", "vectors.learning_rate: expected float, found 'fast'"),
        ("[vectors]\nstart = 'zero'", "vectors.start: expected one of 'spectral', 'xavier', found 'zero'"),
        ("[vectors]\nstart = 'xavier'", "vectors: start 'xavier' needs max_epochs above 0"),
        ("name = ", "not TOML"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text, message):
    """The error names the key, what was expected and the nearest known key."""
    with pytest.raises(ConfigError) as refused:
        config_from_toml(text)
    assert message in str(refused.value)


def test_an_integer_will_do_for_a_float():
    """TOML's 1 is a fine 1.0."""
    assert config_from_toml("[vectors]\nlearning_rate = 1").vectors.learning_rate == 1.0


def test_the_error_names_the_file(tmp_path):
    """A config that is not there, or is wrong, is named with its path."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such config"):
        read_config(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("[dta]")
    with pytest.raises(ConfigError, match=r"bad\.toml: unknown key 'dta'"):
        read_config(tmp_path / "bad.toml")


def test_every_field_is_documented():
    """Each key of each table has a sentence, ending in a full stop."""
    for config in every_config(RunConfig()):
        docs = field_docs(type(config))
        assert set(docs) == {item.name for item in fields(config)}, type(config)
        assert all(doc.endswith((".", '").')) for doc in docs.values()), docs


def test_the_shipped_configs_are_valid():
    """Every file in training/configs reads, and is named as its file is."""
    from pathlib import Path

    import training

    configs = sorted((Path(training.__file__).parent / "configs").glob("*.toml"))
    assert len(configs) == 5
    for path in configs:
        assert read_config(path).name == path.stem
