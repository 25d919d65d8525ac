import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.types import BehaviorTokens

codes = st.lists(st.integers(0, 65535), min_size=6, max_size=6)


@given(codes)
def test_tokens_survive_their_bytes(codes):
    """from_bytes(to_bytes(t)) == t for every code that fits 16 bits, in 12 bytes."""
    tokens = BehaviorTokens.from_codes(codes)
    assert len(tokens.to_bytes()) == 12
    assert BehaviorTokens.from_bytes(tokens.to_bytes()) == tokens
    assert tokens.codes == tuple(codes)


def test_the_bytes_are_little_endian_macro_first():
    """The wire form is fixed: services of different versions share one Redis."""
    assert BehaviorTokens(1, (2, 3, 4, 5, 0x0102)).to_bytes() == bytes([1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 2, 1])


@pytest.mark.parametrize("data", [b"", b"0" * 11, b"0" * 13])
def test_bytes_of_another_length_are_refused(data):
    """A damaged cache entry is not read as tokens."""
    with pytest.raises(ValueError, match="12 bytes"):
        BehaviorTokens.from_bytes(data)


@pytest.mark.parametrize("num_micro", [0, 4, 6])
def test_a_node_has_five_micro_codes(num_micro):
    """Any other number is refused where the tokens are made."""
    with pytest.raises(ValueError, match="5 micro codes"):
        BehaviorTokens(0, (0,) * num_micro)
