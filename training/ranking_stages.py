"""Stages that measure ranking: of the run's own vectors and tokens, and of users and items that it never saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from model_store.embeddings import NodeEmbeddings
from training.config import RunConfig
from training.prepare import Prepared
from training.progress import stage
from training.ranking_arms import Arm, fold_in_all, graph_arms, judged, token_arms
from training.recency import Unit, recency_weights
from training.stages import StageCache, StageOutput, stage_key
from training.train_tokenizer import TrainedTokenizer
from training.zero_shot import zero_shot_items, zero_shot_users

RANKING_FORMAT = 2
ZERO_SHOT_FORMAT = 1
ORDER_FORMAT = 1
"""Of what a stage makes of the same inputs: counted up when its code changes that."""


def ranking_stage(prepared: Prepared, tokenizer: TrainedTokenizer, inputs: str, cache: StageCache) -> dict[str, Any]:
    """Recall and NDCG by part (test, valid), then by arm, as RankingResult writes itself."""
    key = stage_key("ranking", code_format=RANKING_FORMAT, config={}, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        graph, parts = tokenizer.embeddings, prepared.split
        codes = tokenizer.user_codes, tokenizer.item_codes
        with stage("Ranking the whole catalogue"):
            by_tokens = token_arms(tokenizer.user, tokenizer.item, *codes, graph.dim_graph)
            return StageOutput(facts=judged(chain(graph_arms(graph, parts), by_tokens), parts))

    return cache.get_or_make("ranking", key, make).facts


HALF_LIVES: tuple[tuple[float, Unit], ...] = (
    (3, "items"), (5, "items"), (10, "items"), (20, "items"), (40, "items"), (1, "days"), (30, "days")
)  # fmt: skip
ALL_ALIKE = "all alike"


def order_stage(prepared: Prepared, graph: NodeEmbeddings, inputs: str, cache: StageCache) -> dict[str, Any]:
    """Figures of users folded in with several half-lives, by part and half-life; nothing where the data has no times.

    `best`: the half-life with the best NDCG@20 on valid, "all alike" counting; `gain`: by which factor its Recall@20 on
    test exceeds that of "all alike".
    """
    if prepared.dataset.interactions.timestamps is None:
        return {}
    key = stage_key("order", code_format=ORDER_FORMAT, config={}, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        with stage("Folding in with the latest first"):
            figures = judged(_recency_arms(prepared, graph), prepared.split)
        chosen_on = figures.get("valid", {})
        best = max(chosen_on, key=lambda arm: float(chosen_on[arm]["ndcg@20"]), default=ALL_ALIKE)
        recall = {arm: float(each["recall@20"]) for arm, each in figures["test"].items()}
        gain = recall[best] / recall[ALL_ALIKE] if recall[ALL_ALIKE] else 1.0
        return StageOutput(facts={"best": best, "gain": gain, **figures})

    return cache.get_or_make("order", key, make).facts


def _recency_arms(prepared: Prepared, graph: NodeEmbeddings) -> Iterator[Arm]:
    dataset, train = prepared.dataset, prepared.split.train
    yield Arm(ALL_ALIKE, fold_in_all(graph, train, dataset.num_users), graph.items)
    for half_life, unit in HALF_LIVES:
        weights = recency_weights(dataset, train, half_life, unit)
        yield Arm(f"{half_life:g} {unit}", fold_in_all(graph, train, dataset.num_users, weights), graph.items)


def zero_shot_stage(
    config: RunConfig, prepared: Prepared, tokenizer: TrainedTokenizer, inputs: str, cache: StageCache
) -> dict[str, Any]:
    """Figures under `users` and `items`, as training.zero_shot describes them; a share of 0 leaves one out."""
    asked = {"users": config.zero_shot.user_share, "items": config.zero_shot.item_share}
    measures = {"users": zero_shot_users, "items": zero_shot_items}
    settings = {"shares": asked, "recency": asdict(config.recency)}
    key = stage_key("zero_shot", code_format=ZERO_SHOT_FORMAT, config=settings, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        facts = {}
        for side in (side for side, share in asked.items() if share):
            with stage(f"Training without some {side}, which are then ranked all the same"):
                facts[side] = measures[side](prepared.dataset, prepared.split, config, tokenizer)
        return StageOutput(facts=facts)

    return cache.get_or_make("zero_shot", key, make).facts
