"""Many prompts read side by side for one answer each: what all begin with once, the rest as padded batches.

Like slots, it must change no answer. Padding stands before a prompt's own positions, where nothing looks at it; and
what is read here is forgotten afterwards: no slot is touched.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

Prompts = Sequence[NDArray[np.float32]]


class PaddedBatch(NamedTuple):
    """Ends of prompts, side by side behind their common beginning."""

    embeds: Tensor
    """(n, queries, hidden), padded on the left."""
    positions: Tensor
    """(n, queries): where each stands in its prompt."""
    mask: Tensor
    """(n, 1, queries, beginning + queries), added to the scores."""


def common_length(prompts: Prompts) -> int:
    """Positions that all begin with; never a whole prompt, and 0 where nothing is shared."""
    first, *others = prompts
    if not others:
        return 0
    shortest = min(map(len, prompts)) - 1  # something must be left to ask for logits
    same = np.logical_and.reduce([(prompt[:shortest] == first[:shortest]).all(1) for prompt in others])
    return shortest if same.all() else int(same.argmin())


def batches(lengths: Sequence[int], *, positions: int) -> list[list[int]]:
    """Which to read together: all, or groups of similar length that fill at most so many positions (or one prompt)."""
    groups: list[list[int]] = [[]]
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups[-1] and (len(groups[-1]) + 1) * lengths[index] > positions:
            groups.append([])
        groups[-1].append(index)
    return groups


def padded(ends: Prompts, *, beginning: int, like: Tensor) -> PaddedBatch:
    """The batch of these ends, with the type and on the device of `like`. Shapes: ends n times (length, hidden)."""
    queries = max(map(len, ends))
    embeds = np.zeros((len(ends), queries, ends[0].shape[1]), np.float32)
    for row, end in zip(embeds, ends, strict=True):
        row[queries - len(end) :] = end
    place = torch.arange(queries)
    pads = torch.tensor([[queries - len(end)] for end in ends])  # (n, 1)
    sees = (place <= place[:, None]) & (place >= pads[..., None])  # (n, queries, queries)
    sees |= torch.eye(queries, dtype=torch.bool)  # padding sees itself: a softmax of nothing would be NaN
    mask = torch.zeros(len(ends), 1, queries, beginning + queries, dtype=like.dtype)
    mask[:, 0, :, beginning:].masked_fill_(~sees, -torch.inf)
    positions = beginning + (place - pads).clamp_(min=0)
    return PaddedBatch(torch.from_numpy(embeds).to(like), positions.to(like.device), mask.to(like.device))


class SharedLayer(CacheLayerMixin):
    """Keys and values of one layer: what comes first is kept and stands before all that comes after, which is not.

    Shapes: (1, kv_heads, beginning, head_dim) kept, (n, kv_heads, beginning + queries, head_dim) seen by the others.
    """

    def __init__(self, *, keeps: bool) -> None:
        """Without `keeps` there is no beginning."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._keeps = keeps
        self._kept: tuple[Tensor, Tensor] | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        if self._kept is not None:
            keys, values = (kept.expand(len(key_states), -1, -1, -1) for kept in self._kept)
            return torch.cat((keys, key_states), 2), torch.cat((values, value_states), 2)
        if self._keeps:
            self._kept = key_states, value_states
        return key_states, value_states

    # As the decoder's slots: it brings finished masks and positions
    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1
