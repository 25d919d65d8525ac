"""The last check before an engine, and vLLM's wire format made without torch."""

import base64
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from service.adapters.prompt_embeds import check_prompt_embeds, to_wire

FINITE = st.floats(width=32, allow_nan=False, min_value=-(2.0**100), max_value=2.0**100)
EMBEDS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FINITE)


def _read(wire: str):
    """As vLLM reads it: no code of a file is run."""
    return torch.load(io.BytesIO(base64.b64decode(wire, validate=True)), weights_only=True)


@settings(deadline=None)
@given(EMBEDS)
def test_torch_reads_float32_back_bit_by_bit(embeds):
    """For any finite array: the same shape, the same bits, dense and contiguous."""
    tensor = _read(to_wire(embeds, "float32"))
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert np.array_equal(tensor.numpy(), embeds)


@settings(deadline=None)
@given(EMBEDS)
def test_bfloat16_is_rounded_as_torch_rounds(embeds):
    """Nearest, ties to even: exactly torch's own conversion."""
    tensor = _read(to_wire(embeds, "bfloat16"))
    assert tensor.dtype == torch.bfloat16
    assert torch.equal(tensor, torch.from_numpy(embeds).to(torch.bfloat16))


def test_a_tie_goes_to_the_even_neighbour():
    """1 + 2^-8 lies between two bfloat16 values: it becomes 1; 1 + 3 * 2^-8 becomes 1 + 2^-6."""
    embeds = np.array([[1 + 2**-8, 1 + 3 * 2**-8]], np.float32)
    assert _read(to_wire(embeds, "bfloat16")).tolist() == [[1.0, 1 + 2**-6]]


def test_a_view_with_strides_is_sent_as_its_values():
    """A transposed array arrives as what it shows, not as what lies in memory."""
    embeds = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert np.array_equal(_read(to_wire(embeds, "float32")).numpy(), embeds)


@pytest.mark.parametrize(
    ("embeds", "complaint"),
    [
        (np.zeros((3, 7), np.float32), r"expected \(seq, 8\), found \(3, 7\)"),
        (np.zeros((0, 8), np.float32), r"found \(0, 8\)"),
        (np.zeros((1, 3, 8), np.float32), r"found \(1, 3, 8\)"),
        (np.zeros((3, 8), np.float64), "expected float32, found float64"),
        (np.full((3, 8), np.nan, np.float32), "finite"),
        (np.full((3, 8), np.inf, np.float32), "finite"),
    ],
)
def test_what_could_harm_an_engine_is_refused(embeds, complaint):
    """Wrong width, nothing, three dimensions, another dtype, NaN, infinity: each refused with its fact."""
    with pytest.raises(ValueError, match=complaint):
        check_prompt_embeds(embeds, hidden_size=8)


def test_what_is_right_passes():
    """A finite (seq, hidden) float32 array is let through."""
    check_prompt_embeds(np.ones((3, 8), np.float32), hidden_size=8)
