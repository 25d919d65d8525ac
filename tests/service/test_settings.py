"""Settings: a wrong value is refused by name, secrets are not printed."""

import dataclasses

import pytest

from service.settings import SETTINGS, Settings, SettingsError, unknown_variables, without_secrets


def test_every_field_is_a_setting_with_its_flag_and_its_variable():
    """In the order of the fields, with a sentence that says what it is for."""
    assert list(SETTINGS) == [field.name for field in dataclasses.fields(Settings)]
    assert (SETTINGS["redis_pool_size"].flag, SETTINGS["redis_pool_size"].variable) == (
        "--redis-pool-size",
        "BEAT_REDIS_POOL_SIZE",
    )
    assert all(setting.about.help.endswith(".") for setting in SETTINGS.values())


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("BEAT_REDS", "BEAT_REDIS"),
        ("BEAT_LLM_TIMEOUT", "BEAT_LLM_TIMEOUT_S"),
        ("BEAT_REDIS_POOLSIZE", "BEAT_REDIS_POOL_SIZE"),
    ],
)
def test_a_misspelt_variable_is_noticed(variable, meant):
    """The setting that is meant is named."""
    assert unknown_variables([variable, "BEAT_REDIS", "PATH"]) == {variable: meant}


def test_variables_that_only_share_the_prefix_are_left_alone():
    """Those of the tests, of the downloads and of Kubernetes for a service called beat-serve."""
    others = ["BEAT_CACHE", "BEAT_VLLM_URL", "BEAT_SERVE_PORT", "BEAT_SERVE_SERVICE_HOST", "BEAT_SERVE_PORT_8000_TCP"]
    assert unknown_variables([*others, *(setting.variable for setting in SETTINGS.values())]) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("redis", "localhost:6379"),
        ("redis", "http://localhost"),
        ("redis_pool_size", 0),
        ("redis_timeout_ms", 0),
        ("llm", "gpt"),
        ("llm", "ftp://host"),
        ("llm_timeout_s", 0),
        ("llm_timeout_s", float("nan")),
        ("retriever", "guess"),
        ("log_level", "loud"),
        ("max_tokens", 257),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(name, value):
    """The error names the setting and says what was expected."""
    with pytest.raises(SettingsError, match=f"{name} is .*; expected ") as caught:
        Settings(**{name: value})
    assert caught.value.name == name


def test_passwords_are_not_printed():
    """Neither of Redis nor of the LLM's address, in print and in the error about them."""
    settings = Settings(redis="redis://user:hunter2@cache:6379/1?password=hunter2", llm="https://key:hunter2@llm/v1")
    printed = settings.printable()
    assert printed["redis"] == "redis://***@cache:6379/1?***"
    assert printed["llm"] == "https://***@llm/v1"
    with pytest.raises(SettingsError) as caught:
        Settings(redis="http://user:hunter2@cache")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["memory://", "transformers", "model_store/artifacts", "redis://cache:6379/0", "8000"])
def test_text_without_secrets_is_printed_as_it_is(text):
    """Masking changes nothing else."""
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("llm", "url"),
    [
        ("transformers", None),
        ("none", None),
        ("vllm", "http://127.0.0.1:8101"),
        ("http://gpu:8000/", "http://gpu:8000"),
        ("http://gpu/v1", "http://gpu"),
    ],
)
def test_the_address_of_the_language_model(llm, url):
    """Only a server has one."""
    assert Settings(llm=llm).llm_url == url


def test_settings_cannot_change():
    """They are made once."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
