"""What a data card's figures mean for training, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

LOW_COVERAGE: Final = 0.5
"""Share of items with a text below which the card says so."""


def notes_on(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One sentence on each thing to know before training."""
    yield from _on_supervision(figures["items and texts"], figures.get("explanations"))
    yield from _on_leaks(figures["leaks"])
    texts = figures["items and texts"]
    if (share := texts["interactions_with_listed_item_share"]) < 1:
        yield f"{1 - share:.1%} of the interactions are with items of which not even a title is told."
    if texts["items_listed"] and texts["items_with_text_share"] < LOW_COVERAGE:
        yield f"Only {texts['items_with_text_share']:.1%} of the items have a text."


def _on_supervision(texts: Mapping[str, Any], explanations: Mapping[str, Any] | None) -> Iterator[str]:
    if explanations:
        if not explanations["of_train_items"]:
            yield "No explanation is of an item on the training side: `beat-train run` will refuse; add explanations."
        return
    facts, categories = texts["items_with_facts_share"] or 0, texts["items_with_categories_share"] or 0
    if max(facts, categories) > 0:
        yield (
            "No explanations: `beat-train run` writes them from likes and from the items' facts "
            f"({facts:.1%} of items have some) and categories ({categories:.1%})."
        )
    else:
        yield (
            "Neither explanations nor facts nor categories: `beat-train run` can write only of what is liked together. "
            "Add explanations (user_id, item_id, text), or categories or facts of the items."
        )


def _on_leaks(leaks: Mapping[str, Any]) -> Iterator[str]:
    if count := leaks["held_out_explained_pairs_in_training"]:
        yield (
            f"{count:,} pairs whose explanation is held out stand among the training interactions: `beat-train run` "
            "takes them out; whoever trains on these files otherwise must do the same."
        )
    if count := leaks["pairs_in_several_parts"]:
        yield f"{count:,} pairs stand in more than one part of the split: each counts for the earliest of them."
    if count := leaks["users_held_out_before_their_last_training"]:
        yield f"{count:,} users have training interactions later than held-out ones: the split is not one by time."
    if count := leaks["held_out_explanations_repeated_in_training"]:
        yield f"{count:,} held-out explanations stand word for word among the training ones."
    if count := leaks["explanations_within_their_item_text"]:
        yield f"{count:,} explanations stand word for word in their item's text, which a prompt shows."
