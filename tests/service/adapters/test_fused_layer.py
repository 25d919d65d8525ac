"""Fused and packed: the same numbers as transformers and torch give."""

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from service.adapters.fused_layer import FusedLayer, PackedLinear, fuse, grouped_attention


def _attention_by_hand(query, key, value, mask, scale):
    """softmax(q k^T / scale + mask) v, one head at a time, each with its group's keys."""
    shared = query.shape[1] // key.shape[1]
    heads = [
        torch.softmax(query[:, h] @ key[:, h // shared].mT * scale + mask[:, 0], -1) @ value[:, h // shared]
        for h in range(query.shape[1])
    ]
    return torch.stack(heads, 2)


def test_grouped_attention_is_attention_with_shared_keys():
    """One new position for three rows of different lengths: the textbook formula, head by head."""
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 6, 1, 8), torch.randn(3, 2, 10, 8), torch.randn(3, 2, 10, 8)
    mask = torch.zeros(3, 1, 1, 10).masked_fill(torch.arange(10) >= torch.tensor([10, 4, 1])[:, None, None, None], -1e9)
    found = grouped_attention(query, key, value, mask, 0.3)
    assert torch.allclose(found, _attention_by_hand(query, key, value, mask, 0.3), atol=1e-5)


def test_grouped_attention_of_a_prefill_is_causal():
    """Five positions at once: none sees a later one."""
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 6, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    mask = torch.full((1, 1, 5, 5), -1e9).triu(1)
    found = grouped_attention(query, key, value, mask, 0.3)
    assert torch.allclose(found, _attention_by_hand(query, key, value, mask, 0.3), atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 17])
def test_packed_linears_are_the_linears_in_a_row(rows, bias):
    """Two linears packed as one, bfloat16: the exact product up to bfloat16's rounding."""
    torch.manual_seed(0)
    parts = [nn.Linear(48, width, bias=bias, dtype=torch.bfloat16).requires_grad_(False) for width in (80, 16)]
    x = torch.randn(rows, 2, 48).to(torch.bfloat16)
    expected = torch.cat(
        [nn.functional.linear(x.float(), p.weight.float(), p.bias.float() if bias else None) for p in parts], -1
    )
    assert torch.allclose(PackedLinear(*parts)(x).float(), expected, atol=0.02, rtol=0.01)


def test_float32_is_packed_too_and_exact():
    """The same product as nn.Linear's, up to the last bits of float32."""
    torch.manual_seed(0)
    part = nn.Linear(48, 80).requires_grad_(False)
    x = torch.randn(3, 48)
    assert torch.allclose(PackedLinear(part)(x), part(x), atol=1e-6)


def test_what_cannot_be_packed_is_a_plain_linear():
    """float64, for one: the bits of nn.Linear."""
    part = nn.Linear(48, 80, dtype=torch.float64).requires_grad_(False)
    x = torch.randn(3, 48, dtype=torch.float64)
    assert torch.equal(PackedLinear(part)(x), part(x))


@pytest.mark.parametrize(("model_type", "fused"), [("llama", True), ("qwen3", False)])
def test_only_layers_known_to_be_alike_are_fused(model_type, fused):
    """Qwen 3 normalises queries and keys: it keeps transformers' own layers."""
    sizes = {"vocab_size": 9, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = AutoConfig.for_model(model_type, **sizes, num_attention_heads=4, num_key_value_heads=2)
    model = AutoModelForCausalLM.from_config(config)
    fuse(model)
    assert isinstance(model.model.layers[0], FusedLayer) is fused
