"""TokenSource: the soft tokens of every pair, as the service looks them up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from model_store.quantizer import Codes
from model_store.soft_tokens import SoftTokenTable
from model_store.types import NUM_CODES
from training.data import Rows


@dataclass(frozen=True, eq=False)
class TokenSource:
    """Soft tokens of every pair: a table, and the codes of all nodes.

    Shapes: user_codes (num_users, 6), item_codes (num_items, 6).
    """

    table: SoftTokenTable
    user_codes: Codes
    item_codes: Codes

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        style, user, item = (
            torch.from_numpy(np.array(tensor)) for tensor in (self.table.style, self.table.user, self.table.item)
        )
        return style, user, item

    def soft(self, user_rows: Rows, item_rows: Rows) -> dict[str, Tensor]:
        """Soft tokens by slot as the service has them. Shapes: rows (batch,) -> (batch, S or 6, hidden)."""
        style, user, item = self._tensors
        levels = torch.arange(NUM_CODES)
        user_codes, item_codes = (
            torch.from_numpy(codes[rows].astype(np.int64))
            for codes, rows in ((self.user_codes, user_rows), (self.item_codes, item_rows))
        )
        batch_style = style.expand(len(user_rows), -1, -1)
        return {"style": batch_style, "user": user[levels, user_codes], "item": item[levels, item_codes]}

    def averaged(self) -> TokenSource:
        """The same style, and in every slot the mean over all nodes: tokens that tell no pair from another."""
        user, item = (
            np.stack([table[level][codes[:, level]].mean(axis=0) for level in range(NUM_CODES)])[:, None]
            for table, codes in ((self.table.user, self.user_codes), (self.table.item, self.item_codes))
        )
        table = SoftTokenTable(self.table.style, user, item)
        return TokenSource(table, np.zeros_like(self.user_codes), np.zeros_like(self.item_codes))
