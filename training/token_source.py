"""TokenSource: the soft tokens of every pair, as the service reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model_store.anchor_words import AnchorWords
from model_store.embeddings import Vectors
from model_store.quantizer import Codes
from model_store.soft_tokens import SideReader, SoftTokens, WordKeys
from model_store.types import Side
from training.data import Rows

NODES_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class TokenSource:
    """Soft tokens of every pair: what reads codes, and the codes of all nodes.

    Shapes: user_codes (num_users, 6), item_codes (num_items, 6).
    """

    tokens: SoftTokens
    user_codes: Codes
    item_codes: Codes

    def soft(self, user_rows: Rows, item_rows: Rows) -> dict[str, Tensor]:
        """Soft tokens by slot as the service has them. Shapes: rows (batch,) -> (batch, S or 6, hidden)."""
        user = self.tokens.read("user", self.user_codes[user_rows])
        item = self.tokens.read("item", self.item_codes[item_rows])
        style = torch.from_numpy(np.array(self.tokens.style)).expand(len(user_rows), -1, -1)
        return {"style": style, "user": torch.from_numpy(user), "item": torch.from_numpy(item)}

    def averaged(self) -> TokenSource:
        """The same style, and in every slot the mean over all nodes: tokens that tell no pair from another."""
        user = _always(self.tokens.user, self._mean("user", self.user_codes))
        item = _always(self.tokens.item, self._mean("item", self.item_codes))
        tokens = SoftTokens(self.tokens.style, AnchorWords.of([], self.tokens.hidden_size), user, item)
        return TokenSource(tokens, np.zeros_like(self.user_codes), np.zeros_like(self.item_codes))

    def _mean(self, side: Side, codes: Codes) -> Vectors:
        """Mean soft tokens over all nodes of a side, (6, hidden)."""
        starts = range(0, len(codes), NODES_AT_ONCE)
        soft = (self.tokens.read(side, codes[at : at + NODES_AT_ONCE]) for at in starts)
        mean: Vectors = np.asarray(sum(each.sum(axis=0, dtype=np.float64) for each in soft) / len(codes), np.float32)
        return mean


def _always(reader: SideReader, soft: Vectors) -> SideReader:
    """A reader that sees these soft tokens, (6, hidden), in any codes."""
    no_words = WordKeys(reader.keys.weights[:, :0], reader.keys.bias[:0])
    return replace(reader, outer=np.zeros_like(reader.outer), outer_bias=soft, keys=no_words)
