"""Explanations as the frozen LLM meets them: the service's own prompt before, the reference text after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model_store.catalog import Histories
from model_store.embeddings import NodeEmbeddings, closest_items
from model_store.prompt import PromptEncoder, PromptTemplate
from model_store.types import Item, Prompt
from training.data import Explanations
from training.frozen_language_model import PromptedText

NUM_PAST_ITEMS = 3


@dataclass(frozen=True, eq=False)
class Known:
    """What a prompt may tell: the catalogue's entry of an item row, training histories, vectors to compare items by."""

    item_of: Callable[[int], Item]
    histories: Histories
    embeddings: NodeEmbeddings


@dataclass(frozen=True, eq=False)
class Prompts:
    """Makes prompted texts of explanations."""

    known: Known
    explanations: Explanations
    template: PromptTemplate
    encoder: PromptEncoder
    eos_token_id: int
    max_target_tokens: int

    def of(self, position: int, *, tokens_only: bool) -> PromptedText:
        """The explanation at this position: with title, text and closest past items as served, or with tokens only."""
        explanations = self.explanations
        user_row, item_row = int(explanations.users[position]), int(explanations.items[position])
        prompt = self.template.render() if tokens_only else self._as_served(user_row, item_row)
        target = self.encoder.encode_text(explanations.texts[position], trusted=False)[: self.max_target_tokens]
        return PromptedText(self.encoder.encode(prompt), np.array([*target, self.eos_token_id], np.int64))

    def _as_served(self, user_row: int, item_row: int) -> Prompt:
        item = self.known.item_of(item_row)
        past = closest_items(self.known.embeddings, self.known.histories.of(user_row), item_row, NUM_PAST_ITEMS)
        titles = [self.known.item_of(row).title for row in past.rows.tolist()]
        return self.template.render(title=item.title, text=item.about, history=titles)
