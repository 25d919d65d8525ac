"""The stage that judges codebooks: figures of both sides, and an end to the run where one has collapsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_store.quantizer import Codes
from model_store.vocabulary import Levels
from training.codebook_figures import check_usage, codebook_report, coherence, dependence, word_lift
from training.config import EvaluationConfig
from training.data import Dataset, Rows, Split
from training.item_texts import ItemWords
from training.prepare import Prepared
from training.progress import console, stage
from training.stages import StageCache, StageOutput, stage_key
from training.train_tokenizer import TrainedTokenizer

CODEBOOKS_FORMAT = 1
"""Of what the stage makes of the same inputs: counted up when its code changes that."""
LOW_PERPLEXITY = 0.1
"""Of the codebook size: below it a level hardly tells nodes apart, even where every code has some node."""


def codebooks_stage(
    config: EvaluationConfig, prepared: Prepared, tokenizer: TrainedTokenizer, inputs: str, cache: StageCache
) -> dict[str, Any]:
    """Figures by side, as `side_figures` gives them. CodebookCollapsed where a level is hardly used."""
    key = stage_key("codebooks", code_format=CODEBOOKS_FORMAT, config={}, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        with stage("Judging codebooks"):
            return StageOutput(facts=codebook_figures(prepared.dataset, prepared.split, tokenizer))

    facts = cache.get_or_make("codebooks", key, make).facts
    for side in ("user", "item"):
        check_usage(side, facts[side]["usage"], config.min_codebook_usage)
        codebook_size = len(tokenizer.vocabulary.user[0])
        if (least := min(facts[side]["perplexity"])) < LOW_PERPLEXITY * codebook_size:
            console.print(
                f"     [yellow]{side} codes: most nodes share a few of them (perplexity {least:.0f})[/yellow]"
            )
    return facts


def codebook_figures(dataset: Dataset, parts: Split, tokenizer: TrainedTokenizer) -> dict[str, Any]:
    """Figures of both sides; their words are compared in explanations that nothing was trained on."""
    words = ItemWords.of_items(dataset.items)
    told = held_out_texts(dataset, parts)
    user = side_figures(tokenizer.user_codes, tokenizer.user.codebook_size, tokenizer.vocabulary.user, words, told.user)
    item = side_figures(tokenizer.item_codes, tokenizer.item.codebook_size, tokenizer.vocabulary.item, words, told.item)
    item["lift_fitted"] = lifts(tokenizer.item_codes, words, np.arange(dataset.num_items))
    return {"user": user, "item": item}


class Texts(NamedTuple):
    """What was written about some nodes. Shapes: rows (n,), words.present (n, num_words)."""

    rows: Rows
    words: ItemWords


class BothSides(NamedTuple):
    """The same texts, put together by user and by item."""

    user: Texts
    item: Texts


def held_out_texts(dataset: Dataset, parts: Split) -> BothSides:
    """All valid and test explanations, by their user and by their item."""
    explanations = dataset.explanations
    assert explanations is not None, "prepare makes them where the data has none"
    positions = np.concatenate([parts.valid_explanations, parts.test_explanations])
    texts = [explanations.texts[position] for position in positions.tolist()]
    return BothSides(*(_by_node(nodes[positions], texts) for nodes in explanations.pairs))


def side_figures(codes: Codes, codebook_size: int, levels: Levels, words: ItemWords, told: Texts) -> dict[str, Any]:
    """`usage`, `perplexity`, `unique` of `codebook_report`, and what the codes tell.

    `dependence`: of every two levels, (6, 6); `macro_micro`, `micro_micro`: its means. `lift`: how many times as many
    words two members of a code share in held-out texts (of `lift_nodes` nodes) as any two, by level; `npmi`: how well
    the words of a code go together, by level.
    """
    shared = dependence(codes)
    micro = shared[1:, 1:][np.triu_indices(codes.shape[1] - 1, 1)]
    return {
        **codebook_report(codes, codebook_size),
        "dependence": shared.tolist(),
        "macro_micro": float(shared[0, 1:].mean()),
        "micro_micro": float(micro.mean()),
        "lift": lifts(codes, told.words, told.rows),
        "lift_nodes": len(told.rows),
        "npmi": coherence(levels, words),
    }


def lifts(codes: Codes, words: ItemWords, rows: Rows) -> list[float | None]:
    """`word_lift` of every level. Shapes: codes (num_nodes, 6), rows (n,): the node of each row of words."""
    spoken = np.diff(words.present.indptr) > 0
    return [word_lift(level[spoken], words.present[spoken]) for level in codes[rows].T]


def _by_node(nodes: Rows, texts: list[str]) -> Texts:
    rows, index = np.unique(nodes, return_inverse=True)
    documents: list[list[str]] = [[] for _ in rows]
    for place, text in zip(index.tolist(), texts, strict=True):
        documents[place].append(text)
    return Texts(rows, ItemWords.of_documents([". ".join(each) for each in documents]))
