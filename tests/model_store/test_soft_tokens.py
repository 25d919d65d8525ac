"""Soft tokens: codes read together, from words and a small network, and kept as tensors."""

import numpy as np
import pytest

from model_store.anchor_words import AnchorWords
from model_store.soft_tokens import SideReader, SoftTokens, WordKeys, anchors, gelu
from model_store.types import BehaviorTokens
from tests.artifacts import CODEBOOK_SIZE, HIDDEN_SIZE, NUM_SOFT, NUM_STYLE, random_soft_tokens

TOKENS = BehaviorTokens(3, (0, 1, 2, 3, 0))


def test_a_node_is_read_as_written_out():
    """With plain sums: words by what the codes add up to, corrections through both layers."""
    soft = random_soft_tokens(0)
    side, keys = soft.item, soft.item.keys
    total = sum(side.codewords[level, code] for level, code in enumerate(TOKENS.codes))
    scores = [total @ keys.weights[:, word] + keys.bias[word] for word in range(len(soft.words))]
    best = sorted(range(len(scores)), key=lambda word: -scores[word])[:NUM_SOFT]
    x = sum(side.inner[level, code] for level, code in enumerate(TOKENS.codes)) + side.inner_bias
    hidden = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    words = soft.words.laid(np.array([best]), NUM_SOFT)[0]
    expected = [words[slot] + hidden @ side.outer[:, slot] + side.outer_bias[slot] for slot in range(NUM_SOFT)]
    np.testing.assert_allclose(soft.of("item", TOKENS), expected, rtol=1e-4, atol=1e-5)


def test_every_code_has_its_say():
    """Another code in any one level changes the soft tokens; the two sides read the same codes in their own way."""
    soft = random_soft_tokens(1)
    for level in range(6):
        other = list(TOKENS.codes)
        other[level] = (other[level] + 1) % CODEBOOK_SIZE
        assert not np.allclose(soft.of("user", BehaviorTokens.from_codes(other)), soft.of("user", TOKENS))
    assert not np.allclose(soft.of("item", TOKENS), soft.of("user", TOKENS))


def test_many_nodes_are_read_as_one_is():
    soft = random_soft_tokens(2)
    codes = np.random.default_rng(0).integers(0, CODEBOOK_SIZE, (20, 6)).astype(np.uint16)
    together = soft.read("user", codes)
    assert together.shape == (20, NUM_SOFT, HIDDEN_SIZE)
    for row in range(20):
        alone = soft.of("user", BehaviorTokens.from_codes(codes[row].tolist()))
        np.testing.assert_allclose(together[row], alone, rtol=1e-5, atol=1e-6)


def test_few_words_come_again_and_none_are_zeros():
    """A data set without texts has no words; one with two has these, best first, again and again."""
    none = WordKeys(np.zeros((2, 0), np.float32), np.zeros(0, np.float32))
    assert not anchors(none, AnchorWords.of([], 3), np.zeros((4, 2), np.float32), 5).any()
    two, tokens = WordKeys(np.eye(2, dtype=np.float32), np.zeros(2, np.float32)), np.eye(2, 3, dtype=np.float32) + 1
    found = anchors(two, AnchorWords.of([tokens[:1], tokens[1:]], 3), np.array([[0.1, 0.9]], np.float32), 3)
    np.testing.assert_array_equal(found[0], tokens[[1, 0, 1]])


def test_a_code_beyond_the_codebook_is_an_index_error():
    """Another version's tokens must not silently borrow a vector."""
    with pytest.raises(IndexError):
        random_soft_tokens(0).of("user", BehaviorTokens(CODEBOOK_SIZE, (0,) * 5))


def test_gelu_is_torch_s_own():
    torch = pytest.importorskip("torch")
    x = np.linspace(-4, 4, 50, dtype=np.float32)
    theirs = torch.nn.functional.gelu(torch.from_numpy(x), approximate="tanh").numpy()
    np.testing.assert_allclose(gelu(x), theirs, atol=1e-6)


def test_soft_tokens_survive_their_tensors():
    """All arrays, and the sizes that are read off them."""
    soft = random_soft_tokens(3)
    found = SoftTokens.from_tensors(soft.to_tensors())
    for name, array in soft.to_tensors().items():
        np.testing.assert_array_equal(found.to_tensors()[name], array)
    sizes = (found.hidden_size, found.codebook_size, found.num_soft, len(found.style))
    assert sizes == (HIDDEN_SIZE, CODEBOOK_SIZE, NUM_SOFT, NUM_STYLE)


TENSORS = random_soft_tokens(0).to_tensors()
NAMES = sorted(TENSORS)
REAL = [name for name in NAMES if np.issubdtype(TENSORS[name].dtype, np.floating)]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(name, bad):
    """One NaN in prompt_embeds poisons a whole vLLM server until it is restarted."""
    tensors = dict(random_soft_tokens(0).to_tensors())
    tensors[name].reshape(-1)[-1] = bad
    with pytest.raises(ValueError, match="finite"):
        SoftTokens.from_tensors(tensors)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_disagree_are_refused(name):
    """One more along the last axis, whichever tensor it is."""
    tensors = dict(random_soft_tokens(0).to_tensors())
    tensors[name] = np.concatenate([tensors[name], tensors[name][..., -1:]], axis=-1)
    with pytest.raises(ValueError, match="soft tokens: "):
        SoftTokens.from_tensors(tensors)


def test_a_missing_tensor_is_a_key_error():
    tensors = dict(random_soft_tokens(0).to_tensors())
    del tensors["item.inner_bias"]
    with pytest.raises(KeyError):
        SoftTokens.from_tensors(tensors)


def test_sides_are_told_apart_by_name():
    soft = random_soft_tokens(4)
    assert isinstance(soft.side("user"), SideReader)
    assert soft.side("user") is soft.user
    assert soft.side("item") is soft.item
