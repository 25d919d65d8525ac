"""The settings as options of the command line: made from the fields of Settings, so that neither can be forgotten."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from service.settings import SETTINGS, Setting, Settings, SettingsError


def option(setting: Setting) -> Any:
    """The option of this setting, which is also its environment variable."""
    return typer.Option(envvar=setting.variable, help=setting.about.help)


STORE: Final = option(SETTINGS["store"])
VERSION: Final = option(SETTINGS["version"])
PORT: Final = option(SETTINGS["port"])
REDIS: Final = option(SETTINGS["redis"])


def takes_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """The command as typer wants it, with one option for each setting.

    A value that cannot be ends it with status 2, naming option and variable.
    """

    def with_options(**values: Any) -> None:
        try:
            settings = Settings(**values)
        except SettingsError as error:
            raise wrong_setting(error) from error
        command(settings)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, keyword, default=setting.default, annotation=Annotated[setting.type, option(setting)])
        for name, setting in SETTINGS.items()
    ]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def wrong_setting(error: SettingsError) -> typer.BadParameter:
    """The error as misuse of the command, told by the option and the variable to change."""
    setting = SETTINGS[error.name]
    return typer.BadParameter(str(error), param_hint=f"{setting.flag} (or {setting.variable})")
