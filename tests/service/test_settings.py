"""Settings: each is a flag and a variable, a wrong value is refused by name, secrets are not printed."""

import dataclasses
import inspect

import pytest
from typer.models import OptionInfo

from service.__main__ import run
from service.settings import Settings, SettingsError, without_secrets


def test_every_setting_is_a_flag_and_a_variable():
    """The command's options are the fields of Settings, with the same defaults and the variable BEAT_<NAME>."""
    parameters = inspect.signature(run).parameters
    assert list(parameters) == [field.name for field in dataclasses.fields(Settings)]
    for field in dataclasses.fields(Settings):
        (option,) = (found for found in parameters[field.name].annotation.__metadata__ if isinstance(found, OptionInfo))
        assert option.envvar == f"BEAT_{field.name.upper()}"
        assert option.help
        assert parameters[field.name].default == field.default


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
