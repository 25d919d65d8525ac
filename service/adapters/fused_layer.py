"""The layers of Llama-like models with fewer, larger operations: at one token a time, half the cost is calling them.

Same mathematics as transformers' LlamaDecoderLayer (arXiv:2302.13971; grouped queries: arXiv:2305.13245), which stays
the reference: tests compare both, and every other architecture runs as transformers has it.
"""

from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

FUSED_TYPES: Final = frozenset({"llama", "mistral", "qwen2"})


class PackedLinear(nn.Module):
    """x W^T + b with W laid out once for oneDNN, as torch.compile does when it freezes a graph; half the time a token.

    Shapes: x (..., in) -> (..., out). Where it cannot pack (see `_can_pack`) it is a plain linear.
    """

    def __init__(self, *parts: nn.Linear) -> None:
        """Several parts with one input become one product, their outputs in a row."""
        super().__init__()
        weight = torch.cat([part.weight.detach() for part in parts])
        biases = [part.bias for part in cast(tuple[Any, ...], parts) if part.bias is not None]  # typed as never None
        self._bias = torch.cat(biases).detach() if biases else None
        self._packed = _can_pack(weight)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, 1) if self._packed else weight

    def forward(self, x: Tensor) -> Tensor:
        if not self._packed:
            return linear(x, self._weight, self._bias)
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], ""))


class FusedLayer(nn.Module):
    """One decoder layer, called as transformers calls its own. Shapes: hidden_states (n, q, hidden) -> the same."""

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self._index = int(attention.layer_idx)
        self._head_dim, self._scale = int(attention.head_dim), float(attention.scaling)
        self._heads, self._kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads)
        self._eps = float(config.rms_norm_eps)
        self._norm_1, self._norm_2 = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        self._qkv = PackedLinear(attention.q_proj, attention.k_proj, attention.v_proj)
        self._o = PackedLinear(attention.o_proj)
        self._gate_up, self._down = PackedLinear(mlp.gate_proj, mlp.up_proj), PackedLinear(mlp.down_proj)

    def forward(
        self,
        hidden_states: Tensor,
        *,
        attention_mask: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        past_key_values: Any,
        **_: object,
    ) -> Tensor:
        x = rms_norm(hidden_states, self._norm_1.shape, self._norm_1, self._eps)
        q, k, v = self._rotated(self._qkv(x), *position_embeddings)
        k, v = past_key_values.update(k, v, self._index)
        h = hidden_states + self._o(grouped_attention(q, k, v, attention_mask, self._scale).flatten(2))
        x = rms_norm(h, self._norm_2.shape, self._norm_2, self._eps)
        gate, up = self._gate_up(x).chunk(2, -1)
        out: Tensor = h + self._down(silu(gate) * up)
        return out

    def _rotated(self, qkv: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shapes: qkv (n, q, (heads + 2 kv_heads) dim), cos and sin (n, q, dim) -> three times (n, heads, q, dim)."""
        rows, queries, _ = qkv.shape
        split = qkv.view(rows, queries, -1, self._head_dim).transpose(1, 2)
        qk, v = split[:, : -self._kv_heads], split[:, -self._kv_heads :]
        left, right = qk.chunk(2, -1)
        # Rotary positions (arXiv:2104.09864), queries and keys at once
        qk = qk * cos[:, None] + torch.cat((-right, left), -1) * sin[:, None]
        return qk[:, : self._heads], qk[:, self._heads :], v


def grouped_attention(query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scale: float) -> Tensor:
    """Attention without copies of keys: the query heads that share a key head become its query positions.

    Shapes: query (n, heads, q, dim), key and value (n, kv_heads, length, dim), attention_mask (n, 1, q, length) added
    to the scores -> (n, q, heads, dim). One prompt alone with nothing before it is causal whatever the mask.
    """
    rows, heads, queries, dim = query.shape
    if queries > 1:
        alone = rows == 1 and key.shape[2] == queries  # half the products are then known to be nothing
        out = scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if alone else attention_mask,
            is_causal=alone,
            scale=scale,
            enable_gqa=True,
        )
        return out.transpose(1, 2)
    kv_heads = key.shape[1]
    grouped = query.reshape(rows, kv_heads, heads // kv_heads, dim)
    mask = attention_mask.expand(rows, kv_heads, heads // kv_heads, -1)
    return scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=scale).reshape(rows, 1, heads, dim)


def fuse(model: Any) -> None:
    """Make a causal LM faster in place: fused layers where it is Llama-like, packed linears everywhere else."""
    if model.config.model_type in FUSED_TYPES:
        model.model.layers = nn.ModuleList(FusedLayer(layer, model.config) for layer in model.model.layers)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and _can_pack(child.weight):
                setattr(module, name, PackedLinear(child))


def _can_pack(weight: Tensor) -> bool:
    """On a CPU, in float32, and in bfloat16 where the CPU computes in it."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or weight.device.type != "cpu":
        return False
    return weight.dtype == torch.float32 or (
        weight.dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )
