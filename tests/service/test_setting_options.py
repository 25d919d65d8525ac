"""The command's options are the settings, the other way round too."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.models import OptionInfo
from typer.testing import CliRunner

from service.__main__ import run
from service.setting_options import takes_settings
from service.settings import SETTINGS, Settings


def test_every_setting_is_a_flag_and_a_variable_and_nothing_else_is():
    """The options of `beat-serve run` are the fields of Settings: their defaults, their variables BEAT_<NAME>."""
    parameters = inspect.signature(run).parameters
    assert list(parameters) == list(SETTINGS)
    for name, parameter in parameters.items():
        (option,) = (found for found in parameter.annotation.__metadata__ if isinstance(found, OptionInfo))
        assert option.envvar == f"BEAT_{name.upper()}"
        assert option.help == SETTINGS[name].about.help
        assert parameter.default == getattr(Settings(), name)


@pytest.fixture
def told():
    """A command that keeps the settings it was given, and what it was given."""
    kept: list[Settings] = []
    app = typer.Typer()

    @app.command()
    @takes_settings
    def command(settings: Settings) -> None:
        kept.append(settings)

    return app, kept


def test_flags_win_over_variables_and_both_over_defaults(told):
    """Numbers, folders, choices and switches are read as what they are."""
    app, kept = told
    variables = {"BEAT_PORT": "9", "BEAT_STORE": "/there", "BEAT_ACCESS_LOG": "1", "BEAT_LLM_DTYPE": "float32"}
    result = CliRunner().invoke(app, ["--port", "10", "--llm-timeout-s", "0.5"], env=variables)
    assert result.exit_code == 0, result.output
    assert kept == [Settings(port=10, store=Path("/there"), access_log=True, llm_dtype="float32", llm_timeout_s=0.5)]


@pytest.mark.parametrize(
    ("name", "value"), [("BEAT_REDIS_POOL_SIZE", "0"), ("BEAT_REDIS_POOL_SIZE", "many"), ("BEAT_LLM", "gpt")]
)
def test_a_wrong_value_names_its_option_and_its_variable(told, name, value):
    """Whether it is no number, too small or no choice; nothing is run."""
    app, kept = told
    result = CliRunner().invoke(app, [], env={name: value, "COLUMNS": "200"})
    assert result.exit_code == 2
    assert name in result.output
    assert f"--{name.removeprefix('BEAT_').lower().replace('_', '-')}" in result.output
    assert kept == []
