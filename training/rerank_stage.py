"""The stage that lets the LLM rerank candidates for a sample of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model_store.rerank_prompt import rerank_template
from training.data import Split
from training.explanation_stage import Settings, sampled
from training.progress import counted
from training.rerank import NUM_CANDIDATES, rerank_figures
from training.stages import StageCache, StageOutput, stage_key
from training.token_source import TokenSource
from training.workshop import Workshop

RERANK_FORMAT = 1
"""Of what the stage makes of the same inputs: counted up when its code changes that."""


def rerank_stage(
    workshop: Workshop, source: TokenSource, parts: Split, settings: Settings, cache: StageCache, inputs: str
) -> dict[str, Any]:
    """`rerank_figures` of `rerank_users` users with test items; nothing where that is 0."""
    count, dtype, seed = settings.evaluation.rerank_users, settings.projector.dtype, settings.seed
    if not count:
        return {}
    template = rerank_template(workshop.language_model.spec.chat, num_soft=source.tokens.num_soft)
    told = {"users": count, "dtype": dtype, "seed": seed, "template": template.to_json()}
    key = stage_key("rerank", code_format=RERANK_FORMAT, config=told, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        users = sampled(np.intersect1d(parts.test.users, parts.train.users), count, seed)
        model = workshop.open_model(dtype)
        with counted("Reranking by the language model", NUM_CANDIDATES * len(users), "prompts") as advance:
            figures = rerank_figures(source, model, workshop.prompts, template, parts, users, on_prompts=advance)
        return StageOutput(facts=figures)

    return cache.get_or_make("rerank", key, make).facts
