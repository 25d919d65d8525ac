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


@dataclass(frozen=True)
class Shown:
    """What a prompt tells beside the tokens."""

    title: bool = False
    text: bool = False
    history: bool = False
    """Titles of the user's past items that are closest to the item."""


TOKENS_ONLY = Shown()
TITLED = Shown(title=True)
AS_SERVED = Shown(title=True, text=True, history=True)


@dataclass(frozen=True, eq=False)
class Prompts:
    """Makes prompted texts of explanations."""

    known: Known
    explanations: Explanations
    template: PromptTemplate
    encoder: PromptEncoder
    eos_token_id: int
    max_target_tokens: int

    def showing(self, position: int, shown: Shown) -> PromptedText:
        """The explanation at this position after a prompt that tells what is shown."""
        explanations = self.explanations
        user_row, item_row = int(explanations.users[position]), int(explanations.items[position])
        prompt = self._prompt(user_row, item_row, shown)
        target = self.encoder.encode_text(explanations.texts[position], trusted=False)[: self.max_target_tokens]
        return PromptedText(self.encoder.encode(prompt), np.array([*target, self.eos_token_id], np.int64))

    def _prompt(self, user_row: int, item_row: int, shown: Shown) -> Prompt:
        item = self.known.item_of(item_row)
        return self.template.render(
            title=item.title if shown.title else None,
            text=item.about if shown.text else None,
            history=self.past_titles(user_row, item_row) if shown.history else (),
        )

    def past_titles(self, user_row: int, item_row: int) -> list[str]:
        """Titles of the user's past items that are closest to the item, closest first."""
        past = closest_items(self.known.embeddings, self.known.histories.of(user_row), item_row, NUM_PAST_ITEMS)
        return [self.known.item_of(row).title for row in past.rows.tolist()]
