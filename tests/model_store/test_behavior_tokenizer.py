from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.store import ModelStore
from tests.artifacts import COLOURS, NUM_USERS, history_rows, tiny_artifact

DIM = 5


def separated(seed: int, codebook_size: int = 4) -> SideTokenizer:
    """Each level's codewords lie on a grid a hundred times finer than the level before: greedy encoding is exact."""
    rng = np.random.default_rng(seed)
    grid = np.stack([rng.permutation(codebook_size) for _ in range(DIM)], axis=1).astype(np.float32)
    levels = [grid * 100.0**-level for level in range(6)]
    return SideTokenizer(MacroQuantizer(levels[0] * 1e4), MicroQuantizer(np.stack(levels[1:]).astype(np.float32) * 1e4))


@settings(max_examples=30)
@given(st.integers(0, 1000), st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=9))
def test_codes_of_decoded_codes_are_the_codes(seed, codes):
    """encode(decode(codes)) == codes where levels are well apart (float32 tells three such levels apart)."""
    tokenizer = separated(seed)
    codes = np.array([[*row, 0, 0, 0] for row in codes])
    np.testing.assert_array_equal(tokenizer.encode(tokenizer.decode(codes))[:, :3], codes[:, :3])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_macro_comes_first_and_micro_encodes_what_it_leaves(seed, n):
    """A side's codes are the macro quantizer's and then the micro quantizer's of the residual."""
    rng = np.random.default_rng(seed)
    macro = MacroQuantizer(rng.normal(size=(8, DIM)).astype(np.float32))
    micro = MicroQuantizer(rng.normal(size=(5, 8, DIM)).astype(np.float32))
    x = rng.normal(size=(n, DIM)).astype(np.float32)
    codes = SideTokenizer(macro, micro).encode(x)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes[:, 0], macro.encode(x))
    np.testing.assert_array_equal(codes[:, 1:], micro.encode(x - macro.codebook[codes[:, 0]]))
    decoded = SideTokenizer(macro, micro).decode(codes)
    np.testing.assert_allclose(decoded, macro.decode(codes[:, 0]) + micro.decode(codes[:, 1:]), rtol=1e-6)


def test_every_level_brings_the_vector_closer():
    """With the zero vector in each codebook no level can make the error larger."""
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(6, 16, DIM)).astype(np.float32)
    codebooks[:, 0] = 0
    tokenizer = SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(codebooks[1:]))
    x = rng.normal(size=(200, DIM)).astype(np.float32)
    codes = tokenizer.encode(x)
    errors = [np.square(x - tokenizer.decode(np.where(np.arange(6) < kept, codes, 0))).sum() for kept in range(7)]
    assert errors == sorted(errors, reverse=True)


def test_a_history_gets_the_tokens_of_its_joint_vector(tmp_path):
    """On the checkerboard the macro code of a history is its colour, and training codes are those of histories."""
    tiny_artifact(tmp_path / "store")
    artifact = ModelStore(tmp_path / "store").load()
    tokenizer: BehaviorTokenizer = artifact.tokenizer
    for row in range(NUM_USERS):
        tokens = tokenizer.tokens_of_history(history_rows(row))
        assert tokens.macro == row % len(COLOURS)
        assert tokens.codes == tuple(artifact.user_codes[row])


def test_a_decode_table_decodes_and_leaves_encoding_alone():
    """With a table of twice the codewords a decoded vector is twice as long, and codes are the same."""
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(6, 4, DIM)).astype(np.float32)
    plain = SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(codebooks[1:]))
    doubled = replace(plain, decode_table=2 * codebooks)
    x = rng.normal(size=(20, DIM)).astype(np.float32)
    codes = doubled.encode(x)
    np.testing.assert_array_equal(codes, plain.encode(x))
    np.testing.assert_allclose(doubled.decode(codes), 2 * plain.decode(codes), rtol=1e-5)
