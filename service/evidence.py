"""What is true about a user and an item, read from the model without writing any text."""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.catalog import Catalog
from model_store.embeddings import closest_items
from model_store.quantizer import Vectors
from model_store.types import NUM_MICRO, BehaviorTokens, Side
from model_store.vocabulary import Vocabulary
from service.explanation import Evidence, PastItem, TokenPair
from service.types import LabelledTokens

MAX_PAST_ITEMS = 3
MAX_TOKEN_PAIRS = 3
MAX_HISTORY = 200
"""Past items, the newest, in which shared words are looked for."""
_WORD = re.compile(r"[\w'\-]+|[^\w\s'\-]")
_TINY = np.finfo(np.float32).tiny
_MICRO = np.arange(NUM_MICRO)


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
        tokenizer: BehaviorTokenizer,
        vocabulary: Vocabulary,
        labels: Labels,
        item_codes: NDArray[np.uint16],
    ) -> None:
        self._catalog = catalog
        self._embeddings = tokenizer.embeddings
        self._tokenizer = tokenizer
        self._words_of = lru_cache(None)(lambda side, level, code: vocabulary.meaning(side, level, code).words)
        self._labels = labels
        self._item_codes = item_codes

    def select(self, user_tokens: BehaviorTokens, history: NDArray[np.integer], item_row: int) -> Evidence:
        """Both sides' labelled tokens, which of them belong together, and the past items closest to the asked one.

        Shapes: history (n,) item rows in any order.
        """
        item_tokens = BehaviorTokens.from_codes(self._item_codes[item_row])
        users, items = self._words("user", user_tokens), self._words("item", item_tokens)
        known = {word for words in users for word in words}
        common = dict.fromkeys(word for words in items for word in words if word in known)
        return Evidence(
            user=self._labels.of("user", user_tokens),
            item=self._labels.of("item", item_tokens),
            shared_words=self._borne_out(common, history, item_row),
            past_items=self._past_items(history, item_row),
            token_pairs=self._token_pairs(user_tokens, item_tokens, users, items),
        )

    def _words(self, side: Side, tokens: BehaviorTokens) -> list[tuple[str, ...]]:
        """Words of each level's code; a token's label and its sharing come from the same words."""
        return [self._words_of(side, level, code) for level, code in enumerate(tokens.codes)]

    def _borne_out(self, words: Iterable[str], history: NDArray[np.integer], item_row: int) -> tuple[str, ...]:
        """Those of the words that the item says of itself, and an item of the history too.

        A code's words are those of its typical members: not every member has them, and what is told must be true.
        """
        said = self._said_by(item_row)
        left = [word for word in words if f" {word} " in said]
        found: set[str] = set()
        for row in history[: -MAX_HISTORY - 1 : -1].tolist():
            if len(found) == len(left):
                break
            if row != item_row:
                past = self._said_by(row)
                found |= {word for word in left if f" {word} " in past}
        return tuple(word for word in left if word in found)

    def _said_by(self, row: int) -> str:
        """An item's title, text and categories in lower case, single spaces around every word."""
        catalog = self._catalog
        told = (catalog.titles[row], catalog.texts[row], *catalog.categories.of(row))
        return f" {' '.join(_WORD.findall(' . '.join(told).lower()))} "

    def _token_pairs(
        self,
        user_tokens: BehaviorTokens,
        item_tokens: BehaviorTokens,
        users: list[tuple[str, ...]],
        items: list[tuple[str, ...]],
    ) -> tuple[TokenPair, ...]:
        cosines = _codewords(self._tokenizer.user, user_tokens) @ _codewords(self._tokenizer.item, item_tokens).T
        sharing = [
            TokenPair(u, i, shared, round(float(cosines[u, i]), 4))
            for u, words in enumerate(users)
            for i, others in enumerate(items)
            if (shared := tuple([word for word in others if word in words]))
        ]
        if not sharing:
            u, i = divmod(int(cosines.argmax()), cosines.shape[1])
            return (TokenPair(u, i, (), round(float(cosines[u, i]), 4)),)
        return tuple(sorted(sharing, key=lambda pair: (-len(pair.words), -pair.similarity))[:MAX_TOKEN_PAIRS])

    def _past_items(self, history: NDArray[np.integer], item_row: int) -> tuple[PastItem, ...]:
        closest = closest_items(self._embeddings, history, item_row, MAX_PAST_ITEMS)
        return tuple(
            PastItem(self._catalog.ids.to_id(row), self._catalog.titles[row], round(cosine, 4))
            for row, cosine in zip(closest.rows.tolist(), closest.cosines.tolist(), strict=True)
        )


def _codewords(side: SideTokenizer, tokens: BehaviorTokens) -> Vectors:
    """Unit codewords of the six tokens, (6, dim_joint); a zero codeword stays zero."""
    codewords = np.concatenate([side.macro.codebook[[tokens.macro]], side.micro.codebooks[_MICRO, list(tokens.micro)]])
    lengths = np.sqrt(np.einsum("ld,ld->l", codewords, codewords))[:, None]
    return np.asarray(codewords / np.maximum(lengths, _TINY), np.float32)
