"""A Hugging Face causal LM made ready to decode many prompts side by side.

`model.generate` pads a batch to its longest prompt, copies its whole cache at every token and starts no row before all
have ended. Here every prompt has a slot of a preallocated key/value cache (as in vLLM, without the paging): it is
prefilled alone, so no padding exists that could change an answer, joins the others at the next step, and leaves when it
has ended. Rows 0..n-1 are always the busy ones. Prompts that are only judged need no slot: `shared_beginning`.

What every prompt begins with (instructions and style) is read once, when the model is loaded, and kept in a slot of its
own behind the others: a prompt that begins so takes a copy, and only its end is read.
"""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, AutoModelForCausalLM, Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin
from transformers.utils.logging import disable_progress_bar

from service.adapters.fused_layer import fuse, grouped_attention
from service.adapters.shared_beginning import Prompts, SharedLayer, batches, common_length, padded

GROUPED: Final = "beat_grouped"
TOGETHER: Final = 4096
"""Positions of prompts that are judged in one pass: the twenty candidates of a request. Bounds its memory."""
GROUPED_TYPES: Final = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3", "granite"})
"""Model types whose attention is plain softmax(q k / scale): no soft caps, no sinks."""


class FirstLogits(NamedTuple):
    """What the model would say first after some of the prompts it was asked about."""

    rows: list[int]
    """Which prompts, as they were given."""
    logits: Tensor
    """(len(rows), vocab) float32."""


class Decoder:
    """One model, `slots` rows. Not for several threads at once."""

    def __init__(
        self, model: PreTrainedModel, *, slots: int, capacity: int, beginning: NDArray[np.float32] | None = None
    ) -> None:
        """`beginning` is what most prompts begin with, (length, hidden)."""
        config = model.config.get_text_config()
        self.hidden_size = int(config.hidden_size)
        self.slots = slots
        self.capacity: int = min(
            capacity, config.max_position_embeddings, getattr(config, "sliding_window", None) or capacity
        )
        model.set_attn_implementation(GROUPED if config.model_type in GROUPED_TYPES else "eager")
        self._model = cast(Any, model.eval().requires_grad_(False))
        self._where = _Where()
        self._layers = [_SlotLayer(self._where, slots + 1, self.capacity) for _ in range(config.num_hidden_layers)]
        self._cache = Cache(layers=list(self._layers))
        fuse(self._model)
        self._beginning = np.zeros((0, self.hidden_size), np.float32)
        if beginning is not None and 0 < len(beginning) < self.capacity:
            self.prefill(slots, beginning)
            self._beginning = beginning

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        dtype: torch.dtype,
        slots: int,
        capacity: int,
        beginning: NDArray[np.float32] | None = None,
    ) -> "Decoder":
        """The decoder of a Hugging Face folder, on the GPU where there is one."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        disable_progress_bar()  # it would stand in the middle of a JSON log
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        return cls(model.to(device), slots=slots, capacity=capacity, beginning=beginning)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return cast(torch.device, self._model.device)

    @torch.inference_mode()
    def embeddings_of(self, token_ids: list[int]) -> NDArray[np.float32]:
        """The model's own input embeddings of these ids, (n, hidden) float32."""
        ids = torch.tensor(token_ids, device=self.device)
        rows: NDArray[np.float32] = self._model.get_input_embeddings()(ids).float().cpu().numpy()
        return rows

    @torch.inference_mode()
    def prefill(self, slot: int, prompt_embeds: NDArray[np.float32]) -> Tensor:
        """Read a prompt into a slot. Shapes: prompt_embeds (seq, hidden), seq < capacity -> logits (vocab,) float32."""
        known = self._known(prompt_embeds)
        if known:
            self.move(self.slots, slot, known)
        embeds = torch.from_numpy(np.array(prompt_embeds[known:]))[None].to(self._model.device, self._model.dtype)
        self._where.prefill(slot, known)
        return self._read(embeds, self._cache, known)[0]

    def _known(self, prompt: NDArray[np.float32]) -> int:
        """Positions of a prompt that need not be read: all of the beginning, or none."""
        length = len(self._beginning)
        return length if len(prompt) > length and np.array_equal(prompt[:length], self._beginning) else 0

    @torch.inference_mode()
    def first_logits(self, prompts: Prompts, *, max_positions: int = TOGETHER) -> Iterator[FirstLogits]:
        """What follows each of the prompts, all read together, the positions that all begin with only once.

        Several batches where one would hold more than `max_positions`; between them others may be served. No slot is
        touched. Shapes: prompts n times (seq, hidden), seq < capacity.
        """
        beginning = common_length(prompts)
        cache = Cache(layers=[SharedLayer(keeps=beginning > 0) for _ in self._layers])
        like = torch.empty(0, dtype=self._model.dtype, device=self._model.device)
        if beginning:
            self._read(torch.from_numpy(np.array(prompts[0][:beginning]))[None].to(like), cache)
        ends = [prompt[beginning:] for prompt in prompts]
        for rows in batches([len(end) for end in ends], positions=max_positions):
            batch = padded([ends[row] for row in rows], beginning=beginning, like=like)
            yield FirstLogits(rows, self._forward(*batch, cache))

    @torch.inference_mode()
    def step(self, token_ids: list[int], lengths: list[int]) -> Tensor:
        """One more token for rows 0..n-1. Shapes: token_ids, lengths (n,) -> logits (n, vocab) float32.

        `lengths` are the positions that each row's cache holds before this token.
        """
        device = self._model.device
        positions = torch.tensor(lengths, device=device)  # (n,)
        embeds = self._model.get_input_embeddings()(torch.tensor(token_ids, device=device)[:, None])  # (n, 1, hidden)
        longest = max(lengths) + 1
        self._where.step(positions, longest)
        beyond = torch.arange(longest, device=device) > positions[:, None]  # (n, longest)
        mask = torch.zeros(beyond.shape, dtype=embeds.dtype, device=device).masked_fill_(beyond, -torch.inf)
        return self._forward(embeds, positions[:, None], mask[:, None, None], self._cache)

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        """Copy what a slot holds, its first `length` positions, into another."""
        for layer in self._layers:
            layer.move(source, target, length)

    def _read(self, embeds: Tensor, cache: Cache, known: int = 0) -> Tensor:
        """One prompt behind `known` positions. Shapes: embeds (1, seq, hidden) -> logits (1, vocab) float32."""
        length, device = embeds.shape[1], embeds.device
        mask = torch.full((length, known + length), -torch.inf, dtype=embeds.dtype, device=device).triu(known + 1)
        return self._forward(embeds, torch.arange(known, known + length, device=device)[None], mask[None, None], cache)

    def _forward(self, embeds: Tensor, positions: Tensor, mask: Tensor, cache: Cache) -> Tensor:
        output = self._model(
            inputs_embeds=embeds,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return cast(Tensor, output.logits[:, -1].float())


class _Where:
    """Which slots and positions the forward pass under way writes; shared by all layers."""

    def prefill(self, slot: int, known: int) -> None:
        self.slot: int | None = slot
        self.known = known

    def step(self, positions: Tensor, longest: int) -> None:
        self.slot = None
        self.positions, self.longest = positions, longest
        self.rows = torch.arange(len(positions), device=positions.device)


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer. Shapes: (slots, kv_heads, capacity, head_dim)."""

    def __init__(self, where: _Where, slots: int, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._where, self._slots, self._capacity = where, slots, capacity

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Zeros, not empty: a masked NaN would still be NaN
        self._keys = self._empty(key_states)
        self._values = self._empty(value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        where = self._where
        if where.slot is not None:
            stop = where.known + key_states.shape[2]
            self._keys[where.slot, :, where.known : stop] = key_states[0]
            self._values[where.slot, :, where.known : stop] = value_states[0]
            if not where.known:
                return key_states, value_states
            row = slice(where.slot, where.slot + 1)
            return self._keys[row, :, :stop], self._values[row, :, :stop]
        self._keys[where.rows, :, where.positions] = key_states[:, :, 0]
        self._values[where.rows, :, where.positions] = value_states[:, :, 0]
        busy = len(where.rows)
        return self._keys[:busy, :, : where.longest], self._values[:busy, :, : where.longest]

    def move(self, source: int, target: int, length: int) -> None:
        for kept in (self._keys, self._values):
            kept[target, :, :length] = kept[source, :, :length]

    # transformers sizes its own masks by these; it gets a finished mask instead.
    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return self._capacity

    def _empty(self, like: Tensor) -> Tensor:
        shape = (self._slots, like.shape[1], self._capacity, like.shape[3])
        if like.device.type != "cpu":
            return like.new_zeros(shape)
        # The system hands out zero pages only as they are touched, which torch.zeros does with all of them at once:
        # most slots hold short prompts, or none
        pages = mmap.mmap(-1, math.prod(shape) * like.element_size(), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return torch.frombuffer(pages, dtype=like.dtype).view(shape)


def _grouped(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float, **_: object
) -> tuple[Tensor, None]:
    """The form in which transformers calls an attention function."""
    return grouped_attention(query, key, value, attention_mask, scaling), None


AttentionInterface.register(GROUPED, _grouped)
