"""The tokenizer stage, after the vectors. Kept by content."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from model_store.artifact import side_of, side_tensors
from model_store.embeddings import NodeEmbeddings
from model_store.vocabulary import Vocabulary
from training.config import TokenizerConfig
from training.prepare import Prepared
from training.progress import console, counted
from training.stages import StageCache, StageOutput, stage_key
from training.train_straight_through import Losses
from training.train_tokenizer import TrainedTokenizer, num_steps, train_tokenizer

TOKENIZER_FORMAT = 10


def tokenizer_stage(
    data: Prepared, graph: NodeEmbeddings, config: TokenizerConfig, seed: int, cache: StageCache, inputs: str
) -> StageOutput:
    """Quantizers, codes and text vectors; facts: `vocabulary`, `key` and `losses` (by epoch; k-means has none)."""
    settings = {"tokenizer": asdict(config), "seed": seed}
    key = stage_key("tokenizer", code_format=TOKENIZER_FORMAT, config=settings, inputs=[inputs])

    def make(_: Path) -> StageOutput:
        epochs: list[Losses] = []

        def show(losses: Losses) -> None:
            epochs.append(losses)
            said = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
            console.print(f"     epoch {len(epochs)}: {said}")

        with counted("Learning codebooks", num_steps(config), "steps") as advance:
            trained = train_tokenizer(graph, data.dataset, data.split, config, seed, on_level=advance, on_epoch=show)
        facts = {"key": key, "vocabulary": trained.vocabulary.to_json(), "losses": epochs}
        return StageOutput(_tensors(trained), facts)

    return cache.get_or_make("tokenizer", key, make)


def trained_tokenizer_of(output: StageOutput, graph: NodeEmbeddings) -> TrainedTokenizer:
    """What `tokenizer_stage` put out."""
    t = output.tensors
    user, item = (side_of(t, side) for side in ("user", "item"))
    embeddings = replace(graph, item_texts=t["item_texts"])
    vocabulary = Vocabulary.from_json(output.facts["vocabulary"])
    return TrainedTokenizer(embeddings, user, item, t["user_codes"], t["item_codes"], vocabulary)


def _tensors(trained: TrainedTokenizer) -> dict[str, Any]:
    return {
        **side_tensors(trained.user, "user"),
        **side_tensors(trained.item, "item"),
        "user_codes": trained.user_codes,
        "item_codes": trained.item_codes,
        "item_texts": trained.embeddings.item_texts,
    }
