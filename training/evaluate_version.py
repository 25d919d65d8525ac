"""A published version judged on data: its own, or another extract with the same outside ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from model_store.artifact import Artifact
from model_store.id_map import IdMap
from model_store.store import ModelStore
from training.config import EvaluationConfig, RunConfig
from training.controls import read_controls
from training.data import Dataset, Explanations, GivenRows, Pairs, Rows, Split, check_leaks, read_rows, split
from training.data_source import read_data
from training.explanation_stage import Examined, Settings, judge
from training.explanation_tables import LEAKED, explanation_tables
from training.llm_judge import LlmJudge
from training.machine import machine
from training.prepare import Prepared, prepared_of
from training.progress import console, ranking_table, stage
from training.ranking_arms import graph_arms, judged, token_arms
from training.stated_preferences import PreferenceJudge
from training.token_map import token_map
from training.token_source import TokenSource
from training.toml_fields import build
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop
from training.zero_shot import zero_shot_strangers

NOT_KNOWN = -1

UserGroups = tuple[tuple[str, ...], ...] | None


def config_of(artifact: Artifact) -> RunConfig:
    """The config that the version was trained with. ConfigError if it is of another time."""
    return build(RunConfig, artifact.manifest.config)


def known_parts(artifact: Artifact, dataset: Dataset, parts: Split, *, allow_leak: bool = False) -> Split:
    """The data's parts in the artifact's rows, `train` being what the version was really trained on.

    Pairs whose user or item the version does not know are left out. LeakError, unless allowed, where valid or test
    pairs stand among its training histories.
    """
    pairs = _translated(dataset, artifact, [parts.valid, parts.test, parts.removed, parts.disliked])
    valid, test, removed, disliked = pairs
    trained = training_pairs(artifact)
    if not allow_leak:
        for evaluated in (valid, test):
            check_leaks(trained, evaluated, artifact.user_ids, artifact.catalog.ids)
    return replace(parts, train=trained, valid=valid, test=test, removed=removed, disliked=disliked)


def rankings_of(artifact: Artifact, parts: Split) -> dict[str, Any]:
    """Figures of every ranking arm of the version, by part, then by arm."""
    graph, codes = artifact.embeddings, (artifact.user_codes, artifact.item_codes)
    by_tokens = token_arms(artifact.tokenizer.user, artifact.tokenizer.item, *codes, graph.dim_graph)
    return judged(chain(graph_arms(graph, parts), by_tokens), parts)


def strangers_of(artifact: Artifact, dataset: Dataset, parts: Split) -> dict[str, Any]:
    """Figures of the data's users whom the version does not know, folded in from the data's training part.

    By part, then by arm; empty where nobody is a stranger with a history and something held out.
    """
    strange = _rows(dataset.user_ids, artifact.user_ids) == NOT_KNOWN
    rows = np.where(strange, np.cumsum(strange) - 1, NOT_KNOWN)
    items = _rows(dataset.item_ids, artifact.catalog.ids)
    met = (parts.train, parts.valid, parts.test, parts.removed, parts.disliked)
    train, valid, test, removed, disliked = (_known_pairs(pairs, rows, items) for pairs in met)
    theirs = replace(parts, train=train, valid=valid, test=test, removed=removed, disliked=disliked)
    tokenizer = artifact.tokenizer
    known = TrainedTokenizer(
        artifact.embeddings, tokenizer.user, tokenizer.item, artifact.user_codes, artifact.item_codes,
        artifact.vocabulary,
    )  # fmt: skip
    return zero_shot_strangers(known, theirs, int(strange.sum()))


def rows_of(artifact: Artifact, path: Path, *, allow_leak: bool = False) -> GivenRows:
    """The explanation rows of a file in the version's rows; LeakError, unless allowed, if it was trained on any."""
    given = read_rows(path, artifact.user_ids, artifact.catalog.ids)
    if not allow_leak:
        check_leaks(training_pairs(artifact), given.explanations.pairs, artifact.user_ids, artifact.catalog.ids)
    return given


def training_pairs(artifact: Artifact) -> Pairs:
    """The (user, item) rows that the version was trained on, ordered by user."""
    histories = artifact.histories
    users = np.repeat(np.arange(len(histories), dtype=np.int64), np.diff(histories.indptr))
    return Pairs(users, histories.indices.astype(np.int64))


def _translated(dataset: Dataset, artifact: Artifact, parts: Iterable[Pairs]) -> list[Pairs]:
    users, items = _rows(dataset.user_ids, artifact.user_ids), _rows(dataset.item_ids, artifact.catalog.ids)
    return [_known_pairs(part, users, items) for part in parts]


def _known_pairs(pairs: Pairs, users: Rows, items: Rows) -> Pairs:
    """The pairs in other rows, without those that have none. Shapes: users and items, the other row of each of ours."""
    found = Pairs(users[pairs.users], items[pairs.items])
    return found.take((found.users != NOT_KNOWN) & (found.items != NOT_KNOWN))


def _rows(ours: IdMap, theirs: IdMap) -> Rows:
    """Their row of each of our ids, (len(ours),); NOT_KNOWN where they have none."""
    return np.array([theirs.to_row(i) if i in theirs else NOT_KNOWN for i in ours.ids], np.int64)


@dataclass(frozen=True)
class Extent:
    """How much is judged, where it is not what the version's config says."""

    max_rows: int | None = None
    max_texts: int | None = None

    def over(self, config: EvaluationConfig) -> EvaluationConfig:
        """The config with what is said here in place of its own."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        return replace(config, **said)


def evaluate_version(
    store: Path,
    version: str,
    folder: Path | None,
    rows: Path | None,
    *,
    allow_leak: bool = False,
    grader: LlmJudge | None = None,
    extent: Extent = Extent(),
) -> dict[str, Any]:
    """Figures of the version on its data (in `folder`, else where its config says), shown and given back as JSON.

    `rows` is a file of explanation rows to judge in place of the test part's. LeakError before anything is measured;
    with `allow_leak` every figure is marked as leaked.
    """
    with stage("Loading and checking the version"):
        artifact = ModelStore(store).load(version)
    config = config_of(artifact)
    with stage("Reading data"):
        dataset = read_data(config.data, folder)
        parts = split(dataset, config.split)
        known = known_parts(artifact, dataset, parts, allow_leak=allow_leak)
    given = None if rows is None else rows_of(artifact, rows, allow_leak=allow_leak)
    if given is None:
        explanations = held_out_explanations(artifact, prepared_of(config, dataset, parts), allow_leak=allow_leak)
    else:
        explanations = given.explanations
    with stage("Ranking the whole catalogue"):
        ranking = rankings_of(artifact, known)
    if allow_leak:
        console.print(LEAKED.strip())
    console.print(ranking_table(ranking["test"]))
    examined = examined_of(artifact, explanations, dataset, config)
    explained = judge(examined, Settings(extent.over(config.evaluation), config.projector, config.seed), grader)
    console.print(*explanation_tables(explained["explanations"], leaked=allow_leak), sep="\n")
    report: dict[str, Any] = {
        "version": artifact.version,
        "ranking": ranking,
        **explained,
        **_of_training(artifact),
        "token_map": token_map(artifact.embeddings, artifact.item_codes, artifact.vocabulary, config.seed),
    }
    report["zero_shot"] = {**report.get("zero_shot", {}), "strangers": strangers_of(artifact, dataset, parts)}
    if given is not None:
        report["rows"] = {"given": len(explanations), "left_out": [list(row) for row in given.strangers]}
    about = {"leaks_allowed": allow_leak, "config": artifact.manifest.config, "machine": machine()}
    return {**(marked_as_leaked(report) if allow_leak else report), **about}


def examined_of(artifact: Artifact, explanations: Explanations, dataset: Dataset, config: RunConfig) -> Examined:
    """What an evaluation of the version on these explanations is given: all of them may be judged."""
    workshop = Workshop.of_artifact(artifact, explanations, config.projector)
    own = TokenSource(artifact.soft_tokens, artifact.user_codes, artifact.item_codes)
    positions, groups = np.arange(len(explanations)), groups_of(artifact, dataset)
    preferences = PreferenceJudge.of(
        dataset.items, _rows(artifact.catalog.ids, dataset.item_ids), training_pairs(artifact),
        len(artifact.user_ids), config.supervision.taste,
    )  # fmt: skip
    return Examined(workshop, own, read_controls(artifact.path), positions, artifact.vocabulary, groups, preferences)


def groups_of(artifact: Artifact, dataset: Dataset) -> UserGroups:
    """Groups of the version's users, by its own rows; none for users that the data does not know."""
    if dataset.user_groups is None:
        return None
    rows = _rows(artifact.user_ids, dataset.user_ids).tolist()
    return tuple(() if row == NOT_KNOWN else dataset.user_groups[row] for row in rows)


def marked_as_leaked(report: Any) -> Any:
    """The same report with `"leaked": true` beside every figure."""
    if isinstance(report, list):
        return [marked_as_leaked(part) for part in report]
    if not isinstance(report, dict):
        return report
    inside = {name: marked_as_leaked(part) for name, part in report.items()}
    numbers = any(isinstance(part, int | float) and not isinstance(part, bool) for part in report.values())
    return {**inside, "leaked": True} if numbers else inside


def _of_training(artifact: Artifact) -> dict[str, Any]:
    """What the version's own report tells of its training: it can be measured only there."""
    told = json.loads((artifact.path / "report.json").read_bytes())
    names = ("name", "codebooks", "zero_shot", "order", "rerank", "vectors", "projector_losses", "control_losses")
    return {name: told[name] for name in names if name in told}


def held_out_explanations(artifact: Artifact, prepared: Prepared, *, allow_leak: bool = False) -> Explanations:
    """The explanations of the data's test part in the version's rows; made from facts where the data has none.

    LeakError, unless allowed, where the version was trained on the pair of any: another extract holds out others.
    """
    dataset, parts = prepared.dataset, prepared.split
    assert dataset.explanations is not None
    test = dataset.explanations.take(parts.test_explanations)
    users, items = _rows(dataset.user_ids, artifact.user_ids), _rows(dataset.item_ids, artifact.catalog.ids)
    found = replace(test, users=users[test.users], items=items[test.items])
    known = found.take(np.flatnonzero((found.users != NOT_KNOWN) & (found.items != NOT_KNOWN)))
    if not allow_leak:
        check_leaks(training_pairs(artifact), known.pairs, artifact.user_ids, artifact.catalog.ids)
    return known
