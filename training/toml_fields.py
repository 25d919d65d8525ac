"""Frozen dataclasses from TOML tables, and their documented defaults back as TOML."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Config = TypeVar("Config")


class ConfigError(Exception):
    """A config says something that cannot be; the message names the key."""


def build(kind: type[Config], table: Mapping[str, Any], where: str = "") -> Config:
    """A dataclass of `kind` with the table's values; keys left out have their defaults.

    ConfigError for a key that is none of its fields (the nearest is named) or a value of another type.
    """
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise ConfigError(_unknown(f"{where}{key}", key, list(hints)))
    values = {key: _value(hints[key], value, f"{where}{key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ValueError as error:  # of the class's own check
        raise ConfigError(f"{where.rstrip('.') or 'config'}: {error}") from error


def documented(config: Any, where: str = "") -> Iterator[str]:
    """Lines of TOML that say what the config says, each key under the sentence that documents it."""
    docs = field_docs(type(config))
    own, stages = _parted(config)
    for item in own:
        yield from textwrap.wrap(docs[item.name], 110, initial_indent="# ", subsequent_indent="# ")
        yield f"{item.name} = {json.dumps(getattr(config, item.name))}"
    for item in stages:
        stage = getattr(config, item.name)
        yield from ("", f"[{where}{item.name}]", f"# {inspect.cleandoc(type(stage).__doc__ or '').splitlines()[0]}")
        yield from documented(stage, f"{where}{item.name}.")


def field_docs(kind: type) -> dict[str, str]:
    """The sentence under each field of a dataclass, by field name."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        field.target.id: " ".join(str(doc.value.value).split())
        for field, doc in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
    }


def _parted(config: Any) -> tuple[list[Field[Any]], list[Field[Any]]]:
    """Fields that are plain values, and fields that are tables of their own."""
    tables = [item for item in fields(config) if is_dataclass(getattr(config, item.name))]
    return [item for item in fields(config) if item not in tables], tables


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table, found {value!r}")
        return build(kind, value, f"{where}.")
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{where}: expected one of {', '.join(map(repr, get_args(kind)))}, found {value!r}")
        return value
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_value(get_args(kind)[0], part, where) for part in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # bool is an int to isinstance
        raise ConfigError(f"{where}: expected {getattr(kind, '__name__', kind)}, found {value!r}")
    return value


def _unknown(where: str, key: str, known: list[str]) -> str:
    nearest = get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(known)}"
    return f"unknown key {where!r}; {hint}"
