"""The evaluation of written texts: figures of every arm, tone, grades where there is a judge, examples to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_store.prompt import open_tokenizer
from model_store.types import BehaviorTokens
from model_store.vocabulary import Vocabulary
from training.bias_probe import by_group, overall, tone
from training.data import Rows
from training.explanation_arms import Case
from training.fetch_language_model import FetchedLanguageModel
from training.frozen_language_model import FrozenLanguageModel
from training.llm_judge import LlmJudge, Question
from training.progress import counted, stage
from training.sentence_encoder import SentenceEncoder
from training.stated_preferences import PreferenceJudge
from training.text_figures import TextJudge, judged_texts
from training.written_texts import Writing, floor_texts, peer_texts, text_arms, written_texts

NUM_EXAMPLES = 8
MIN_POOL = 300
"""Items, at least, among which a text's own is looked for; the whole catalogue where it has fewer."""
SERVED = "as_served"
"""The arm that stands for the service: compared with all others, and by groups of users."""

Texts = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True, eq=False)
class TextTask:
    """What is written and judged: a text of every arm for each of the positions."""

    case: Case
    language_model: FetchedLanguageModel
    vocabulary: Vocabulary
    positions: Rows
    groups: tuple[tuple[str, ...], ...] | None
    """Of the user of each position."""
    preferences: PreferenceJudge | None


def evaluated_texts(task: TextTask, model: FrozenLanguageModel, grader: LlmJudge | None) -> dict[str, Any]:
    """`arms`, `against` (`judged_texts`), `tone`, `examples`, how they were made; where there are any, more.

    `preferences` (`preferences_of`) of data with facts, `tone_by_group` of users with groups, `grades` of a grader.
    """
    case, rows = task.case, task.positions
    samples, seed = case.config.bootstrap_samples, case.seed
    written, floors = _written(task, model), floor_texts(case, rows)
    with stage("Comparing texts"):
        yardstick = text_judge(case, rows, floors["reference"])
        constant = {"constant": [yardstick.most_typical()] * len(rows)}
        arms: Texts = {**written, **peer_texts(case, rows), **constant, **floors}
        report = judged_texts(yardstick, arms, SERVED)
        report["tone"] = {
            name: overall(tone([text for text in texts if text is not None]), samples, seed)
            for name, texts in arms.items()
        }
    report |= {"rows": len(rows), "encoder": yardstick.encoder.name, "pool": len(yardstick.profiles)}
    report["examples"] = [example(task, int(position), at, arms) for at, position in enumerate(rows[:NUM_EXAMPLES])]
    if task.preferences is not None:
        report["preferences"] = preferences_of(task, task.preferences, arms)
    if task.groups is not None:
        report["tone_by_group"] = by_group(tone(written[SERVED]), task.groups, samples, seed)
    if grader is not None:
        with stage("Asking the judge"):
            report["grades"] = grades(case, rows, arms, grader)
    return report


def preferences_of(task: TextTask, judge: PreferenceJudge, arms: Texts) -> dict[str, Any]:
    """Figures of every arm as PreferenceJudge gives them: how true what they state of users is."""
    case, pairs = task.case, task.case.prompts.explanations
    others, _ = case.partners("user", task.positions)
    found = {}
    for name, texts in arms.items():
        there = np.array([at for at, text in enumerate(texts) if text is not None], np.int64)
        titles = [judge.titles[row] for row in pairs.items[task.positions[there]].tolist()]
        users = pairs.users[task.positions[there]], pairs.users[others[there]]
        said = [text for text in texts if text is not None]
        found[name] = judge.figures(said, titles, users, case.config.bootstrap_samples, case.seed)
    return found


def text_judge(case: Case, rows: Rows, references: Sequence[str]) -> TextJudge:
    """The yardstick of texts about these rows. Its pool: their items, and random others of the catalogue."""
    items, num_items = case.prompts.explanations.items[rows], len(case.prompts.known.embeddings.items)
    spoken_of, own = np.unique(items, return_inverse=True)
    others = np.setdiff1d(np.random.default_rng(case.seed).permutation(num_items), spoken_of, assume_unique=True)
    pool = np.concatenate([spoken_of, others[: max(0, MIN_POOL - len(spoken_of))]])
    entries = [case.prompts.known.item_of(int(row)) for row in pool]
    profiles = [item.about or item.title for item in entries]
    encoder = SentenceEncoder.open(case.config.sentence_encoder)
    return TextJudge.of(encoder, references, profiles, own, case.config.bootstrap_samples, case.seed)


def grades(case: Case, rows: Rows, arms: Texts, grader: LlmJudge) -> dict[str, Any]:
    """Mean grade of every arm (1 to 5) with its interval, and how many answers held none. JudgeError."""
    items = [case.prompts.known.item_of(int(row)) for row in case.prompts.explanations.items[rows]]
    references = [case.prompts.explanations.texts[int(position)] for position in rows]
    found: dict[str, Any] = {}
    for name, texts in arms.items():
        asked = [
            Question(f"{item.title}. {item.about}", reference, text)
            for item, reference, text in zip(items, references, texts, strict=True)
            if text is not None
        ]
        given = grader.grades(asked)
        told = given[~np.isnan(given)]
        figure = overall({"grade": told}, case.config.bootstrap_samples, case.seed) if len(told) else {}
        found[name] = {"rows": len(asked), "unanswered": int(np.isnan(given).sum()), **figure}
    return found


def example(task: TextTask, position: int, at: int, arms: Texts) -> dict[str, Any]:
    """One pair with the text of every arm, the titles it was near to, and the words of its tokens."""
    prompts, own = task.case.prompts, task.case.own
    user_row, item_row = int(prompts.explanations.users[position]), int(prompts.explanations.items[position])
    item = prompts.known.item_of(item_row)
    user, item_tokens = (
        BehaviorTokens.from_codes(codes) for codes in (own.user_codes[user_row], own.item_codes[item_row])
    )
    return {
        "title": item.title,
        "about": item.about,
        "liked_before": prompts.past_titles(user_row, item_row),
        "tokens": {
            "user": list(task.vocabulary.labels("user", user)),
            "item": list(task.vocabulary.labels("item", item_tokens)),
        },
        "texts": {name: texts[at] for name, texts in arms.items() if texts[at] is not None},
    }


def _written(task: TextTask, model: FrozenLanguageModel) -> dict[str, list[str]]:
    reader = open_tokenizer(task.language_model.folder)
    end, max_tokens = task.language_model.spec.eos_token_ids, task.case.prompts.max_target_tokens
    writing = Writing(model, reader, end, max_tokens)
    with counted("Writing explanations", len(text_arms(task.case)) * len(task.positions), "texts") as advance:
        return written_texts(task.case, writing, task.positions, advance)
