"""What is true about a user and an item, read from the model without writing any text."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog, Histories
from model_store.embeddings import NodeEmbeddings, closest_items
from model_store.types import BehaviorTokens, Side
from model_store.vocabulary import Vocabulary
from service.types import Evidence, LabelledTokens, PastItem

MAX_PAST_ITEMS = 3


class Labels:
    """Labels of codes, each made once: there are few thousand codes, and every answer carries six to twelve."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._label = lru_cache(None)(vocabulary.label)

    def of(self, side: Side, tokens: BehaviorTokens) -> LabelledTokens:
        """The tokens with their labels."""
        return LabelledTokens(
            tokens, tuple([self._label(side, level, code) for level, code in enumerate(tokens.codes)])
        )


class EvidenceSelector:
    """Finds evidence in one model version. Pure: the same question gets the same evidence.

    Shapes: item_codes (num_items, 6) uint16.
    """

    def __init__(
        self,
        catalog: Catalog,
        histories: Histories,
        embeddings: NodeEmbeddings,
        vocabulary: Vocabulary,
        labels: Labels,
        item_codes: NDArray[np.uint16],
    ) -> None:
        self._catalog = catalog
        self._histories = histories
        self._embeddings = embeddings
        self._vocabulary = vocabulary
        self._labels = labels
        self._item_codes = item_codes

    def select(self, user_tokens: BehaviorTokens, user_row: int, item_row: int) -> Evidence:
        """Both sides' labelled tokens, the words they share, and the past items closest to the asked one."""
        item_tokens = BehaviorTokens.from_codes(self._item_codes[item_row])
        return Evidence(
            user=self._labels.of("user", user_tokens),
            item=self._labels.of("item", item_tokens),
            shared_words=self._shared_words(user_tokens, item_tokens),
            past_items=self._past_items(self._histories.of(user_row), item_row),
        )

    def _shared_words(self, user_tokens: BehaviorTokens, item_tokens: BehaviorTokens) -> tuple[str, ...]:
        """In the item's order, each word once; a token's label and its sharing come from the same words."""
        users_words = set(self._words("user", user_tokens))
        return tuple(dict.fromkeys(word for word in self._words("item", item_tokens) if word in users_words))

    def _words(self, side: Side, tokens: BehaviorTokens) -> list[str]:
        meanings = (self._vocabulary.meaning(side, level, code) for level, code in enumerate(tokens.codes))
        return [word for meaning in meanings for word in meaning.words]

    def _past_items(self, history: NDArray[np.int32], item_row: int) -> tuple[PastItem, ...]:
        closest = closest_items(self._embeddings, history, item_row, MAX_PAST_ITEMS)
        return tuple(
            PastItem(self._catalog.ids.to_id(row), self._catalog.titles[row], round(cosine, 4))
            for row, cosine in zip(closest.rows.tolist(), closest.cosines.tolist(), strict=True)
        )
