"""A sweep: the same run with several seeds and settings, side by side, nothing published."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from model_store.durable_files import replace_file
from training.config import ConfigError, RunConfig
from training.progress import console
from training.run import STAGES_FOLDER, measured_tokens, run
from training.stages import StageCache
from training.sweep_figures import Trial, headline, summaries, sweep_table
from training.toml_fields import build

Until = Literal["report", "tokens"]
"""How far every run goes: to its report, or only to what can be measured without the LLM."""


@dataclass(frozen=True)
class Variant:
    """A config of the sweep, and what was set in it."""

    changes: Mapping[str, Any]
    config: RunConfig


def settings_of(said: Iterable[str]) -> dict[str, list[Any]]:
    """Values by key of flags like "tokenizer.codebook_size=64,128"; a bare word is a text. ConfigError."""
    found: dict[str, list[Any]] = {}
    for each in said:
        key, equals, values = each.partition("=")
        if not (key.strip() and equals and values.strip()):
            raise ConfigError(f"--set {each}: expected KEY=VALUE,VALUE as in tokenizer.codebook_size=64,128")
        found[key.strip()] = _values(values)
    return found


def seeds_of(said: str) -> list[int]:
    """Seeds of a flag like "0,1,2"; none of an empty one. ConfigError."""
    seeds = _values(said)
    if not all(type(seed) is int for seed in seeds):
        raise ConfigError(f"--seeds {said}: expected whole numbers as in 0,1,2")
    return seeds


def variants(base: RunConfig, settings: Mapping[str, Sequence[Any]], seeds: Sequence[int]) -> Iterator[Variant]:
    """Every combination of the settings, each with every seed; the config's own seed where none are given.

    ConfigError before anything runs where a key is unknown or a value is none for it.
    """
    for chosen in product(*settings.values()):
        changes = dict(zip(settings, chosen, strict=True))
        table = base.to_json()
        for key, value in changes.items():
            _set(table, key.split("."), value)
        config = build(RunConfig, table)
        for seed in seeds or [config.seed]:
            yield Variant(changes, replace(config, seed=seed))


def sweep(
    chosen: Sequence[Variant], folder: Path | None, store: Path, *, until: Until = "report", json_out: Path | None
) -> list[Trial]:
    """Run them all; the table is printed at the end, the JSON written after each.

    What variants have in common is made once: they share the store's stage cache. A variant that cannot be, such as one
    whose codebooks collapse, is told and the others go on. DataError, ModelStoreError.
    """
    trials: list[Trial] = []
    for number, variant in enumerate(chosen, 1):
        console.rule(f"{number} of {len(chosen)}: {_named(variant)}", align="left")
        trials.append(_trial(variant, folder, store, until))
        if json_out:
            replace_file(json_out, json.dumps(_json(trials), indent=2, ensure_ascii=False).encode())
    console.print(sweep_table(summaries(trials)))
    return trials


def _trial(variant: Variant, folder: Path | None, store: Path, until: Until) -> Trial:
    config, seed = variant.config, variant.config.seed
    try:
        if until == "tokens":
            report = measured_tokens(config, folder, StageCache(store / STAGES_FOLDER)).figures
        else:
            report = run(config, folder, store, to_publish=False)
    except ConfigError as error:
        console.print(f"     [yellow]failed:[/yellow] {error}", soft_wrap=True)
        return Trial(variant.changes, seed, {}, str(error))
    return Trial(variant.changes, seed, headline(report))


def _json(trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "trials": [trial.to_json() for trial in trials],
        "summaries": [summary.to_json() for summary in summaries(trials)],
    }


def _named(variant: Variant) -> str:
    said = [f"{key} = {value}" for key, value in variant.changes.items()]
    return ", ".join([*said, f"seed {variant.config.seed}"])


def _values(text: str) -> list[Any]:
    """TOML values between commas, or texts where they are not TOML."""
    try:
        found: list[Any] = tomllib.loads(f"values = [{text}]")["values"]
    except tomllib.TOMLDecodeError:
        found = [_value(part.strip()) for part in text.split(",")]
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{'.'.join(path)}: {name} is a value, not a table")
    table[path[-1]] = value
