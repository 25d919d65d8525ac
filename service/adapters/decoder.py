"""A Hugging Face causal LM made ready to decode many prompts side by side.

`model.generate` pads a batch to its longest prompt, copies its whole cache at every token and starts no row before all
have ended. Here every prompt has a slot of a preallocated key/value cache (as in vLLM, without the paging): it is
prefilled alone, so no padding exists that could change an answer, joins the others at the next step, and leaves when it
has ended. Rows 0..n-1 are always the busy ones.
"""

from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AutoModelForCausalLM, Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

GROUPED: Final = "beat_grouped"
GROUPED_TYPES: Final = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3", "granite"})
"""Model types whose attention is plain softmax(q k / scale): no soft caps, no sinks."""


class Decoder:
    """One model, `slots` rows. Not for several threads at once."""

    def __init__(self, model: PreTrainedModel, *, slots: int, capacity: int) -> None:
        config = model.config.get_text_config()
        self.hidden_size = int(config.hidden_size)
        self.slots = slots
        self.capacity = min(
            capacity, config.max_position_embeddings, getattr(config, "sliding_window", None) or capacity
        )
        model.set_attn_implementation(GROUPED if config.model_type in GROUPED_TYPES else "eager")
        self._model = cast(Any, model.eval().requires_grad_(False))
        self._where = _Where()
        self._layers = [_SlotLayer(self._where, slots, self.capacity) for _ in range(config.num_hidden_layers)]
        self._cache = Cache(layers=list(self._layers))
        _pack_linears(model)

    @classmethod
    def open(cls, folder: Path, *, dtype: torch.dtype, slots: int, capacity: int) -> "Decoder":
        """The decoder of a Hugging Face folder, on the GPU where there is one."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        return cls(model.to(device), slots=slots, capacity=capacity)

    @torch.inference_mode()
    def prefill(self, slot: int, prompt_embeds: NDArray[np.float32]) -> Tensor:
        """Read a prompt into a slot. Shapes: prompt_embeds (seq, hidden), seq < capacity -> logits (vocab,) float32."""
        embeds = torch.from_numpy(np.array(prompt_embeds))[None].to(self._model.device, self._model.dtype)
        length = embeds.shape[1]
        self._where.prefill(slot)
        mask = torch.full((length, length), -torch.inf, dtype=embeds.dtype, device=embeds.device).triu(1)
        return self._forward(embeds, torch.arange(length, device=embeds.device)[None], mask[None, None])[0]

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
        return self._forward(embeds, positions[:, None], mask[:, None, None])

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        """Copy what a slot holds, its first `length` positions, into another."""
        for layer in self._layers:
            layer.move(source, target, length)

    def _forward(self, embeds: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        output = self._model(
            inputs_embeds=embeds,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return cast(Tensor, output.logits[:, -1].float())


class _Where:
    """Which slots and positions the forward pass under way writes; shared by all layers."""

    def prefill(self, slot: int) -> None:
        self.slot: int | None = slot

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
        # Zeros, not empty: a masked NaN would still be NaN. The system hands out zero pages only as they are touched.
        self._keys = self._empty(key_states)
        self._values = self._empty(value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        where = self._where
        if where.slot is not None:
            length = key_states.shape[2]
            self._keys[where.slot, :, :length] = key_states[0]
            self._values[where.slot, :, :length] = value_states[0]
            return key_states, value_states
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
        return like.new_zeros(self._slots, like.shape[1], self._capacity, like.shape[3])


def _grouped_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float, **_: object
) -> tuple[Tensor, None]:
    """Attention without copies of keys: the query heads that share a key head become its query positions.

    Shapes: query (n, heads, q, dim), key and value (n, kv_heads, length, dim) -> (n, q, heads, dim).
    """
    rows, heads, queries, dim = query.shape
    if queries > 1:  # a prefill: causal by construction, which is faster than its mask
        out = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=True)
        return out.transpose(1, 2), None
    shared = heads // key.shape[1]
    grouped = query.view(rows, key.shape[1], shared, dim)
    mask = attention_mask.expand(rows, key.shape[1], shared, -1)
    out = scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=scaling)
    return out.reshape(rows, 1, heads, dim), None


AttentionInterface.register(GROUPED, _grouped_attention)


class PackedLinear(nn.Module):
    """x W^T + b with W laid out once for oneDNN, as torch.compile does when it freezes a graph; half the time a token.

    Shapes: x (..., in) -> (..., out), bfloat16 on the CPU.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), 1)
        self._bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, self._packed, self._bias, "none", [], ""))


def _pack_linears(model: nn.Module) -> None:
    """Put PackedLinear in the place of every bfloat16 nn.Linear on a CPU that computes in it; else change nothing."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (available and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and child.weight.dtype == torch.bfloat16 and child.weight.device.type == "cpu":
                setattr(module, name, PackedLinear(child))
