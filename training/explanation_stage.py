"""The evaluation of explanations: every arm's likelihoods and texts, what users they favour, and examples to read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model_store.vocabulary import Vocabulary
from training.arm_figures import arm_figures
from training.bias_probe import by_group
from training.config import ControlName, EvaluationConfig, ProjectorConfig
from training.data import Rows
from training.explanation_arms import FORMS, Case, arms_of, nll_of_arms
from training.llm_judge import LlmJudge
from training.progress import counted
from training.stages import StageCache, StageOutput, stage_key
from training.stated_preferences import PreferenceJudge
from training.text_evaluation import TextTask, evaluated_texts
from training.token_source import TokenSource
from training.workshop import Workshop

EVALUATION_FORMAT = 3


@dataclass(frozen=True, eq=False)
class Examined:
    """What an evaluation is given: a version's soft tokens and controls, and the rows that it may be judged on."""

    workshop: Workshop
    own: TokenSource
    controls: dict[ControlName, TokenSource]
    positions: Rows
    vocabulary: Vocabulary
    groups: tuple[tuple[str, ...], ...] | None
    """Of every user row, "kind: value"; None where the data has none."""
    preferences: PreferenceJudge | None
    """Where items have facts that a user may prefer."""

    def groups_of(self, positions: Rows) -> tuple[tuple[str, ...], ...] | None:
        """The groups of the users whom these explanations are for."""
        users = self.workshop.pairs.explanations.users[positions]
        return None if self.groups is None else tuple(self.groups[user] for user in users)


@dataclass(frozen=True)
class Settings:
    """How it is done."""

    evaluation: EvaluationConfig
    projector: ProjectorConfig
    seed: int


def evaluation_stage(examined: Examined, settings: Settings, cache: StageCache, inputs: str) -> dict[str, Any]:
    """Figures of the explanations, as `judge` gives them; made once for the same inputs."""
    config = {**asdict(settings.evaluation), "seed": settings.seed}
    key = stage_key("evaluation", code_format=EVALUATION_FORMAT, config=config, inputs=[inputs])
    return cache.get_or_make("evaluation", key, lambda _: StageOutput(facts=judge(examined, settings))).facts


def judge(examined: Examined, settings: Settings, grader: LlmJudge | None = None) -> dict[str, Any]:
    """`explanations` and, where texts were written, `examples` of them; shown while it lasts.

    `explanations`: `rows`, `controls`, figures of every form of prompt (`arm_figures`), `margins_by_group` where users
    have groups, and `texts` (`evaluated_texts`).
    """
    config, seed, samples = settings.evaluation, settings.seed, settings.evaluation.bootstrap_samples
    workshop = examined.workshop
    rows = sampled(examined.positions, config.max_rows, seed)
    case = Case(workshop.prompts, examined.own, examined.controls, rows, config, seed)
    model = workshop.open_model(settings.projector.dtype)
    num_arms = sum(len(arms_of(form, case.controls)) for form in FORMS)
    with counted("Judging held-out explanations", num_arms * len(rows), "rows") as advance:
        nll = nll_of_arms(case, model, advance)
    report: dict[str, Any] = {"rows": len(rows), "controls": sorted(case.controls)}
    report |= {form: arm_figures(values, samples, seed) for form, values in nll.items()}
    groups = examined.groups_of(rows)
    if groups is not None:
        alone = nll["tokens_only"]
        margins = {f"{swap}_swap_margin": alone[swap] - alone["true"] for swap in ("user", "item")}
        report["margins_by_group"] = by_group(margins, groups, samples, seed)
    if config.max_texts:
        chosen = sampled(rows, config.max_texts, seed)
        task = TextTask(
            case, workshop.language_model, examined.vocabulary, chosen, examined.groups_of(chosen), examined.preferences
        )
        report["texts"] = evaluated_texts(task, model, grader)
        examples = report["texts"].pop("examples")
        return {"explanations": report, "examples": examples}
    return {"explanations": report}


def sampled(positions: Rows, count: int, seed: int) -> Rows:
    """At most `count` of the positions, a seeded sample in ascending order."""
    if len(positions) <= count:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, count, replace=False))
