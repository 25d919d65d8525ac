import numpy as np
import pytest

from model_store.soft_tokens import SoftTokenTable
from model_store.types import BehaviorTokens

SHAPES = {"style": (3, 2), "user": (6, 4, 2), "item": (6, 4, 2)}


def table() -> SoftTokenTable:
    """Entries that tell their place: user level l, code c holds 10 l + c, items the same negative."""
    user = np.broadcast_to(10 * np.arange(6)[:, None, None] + np.arange(4)[None, :, None], (6, 4, 2))
    return SoftTokenTable(np.zeros((3, 2), np.float32), user.astype(np.float32), -user.astype(np.float32))


def test_lookup_takes_each_levels_own_row():
    """Code c of level l finds row c of table l, macro first, on the side asked for."""
    tokens = BehaviorTokens(3, (0, 1, 2, 3, 0))
    np.testing.assert_array_equal(table().lookup("user", tokens)[:, 0], [3, 10, 21, 32, 43, 50])
    np.testing.assert_array_equal(table().lookup("item", tokens)[:, 1], [-3, -10, -21, -32, -43, -50])


def test_a_code_beyond_the_codebook_is_an_index_error():
    """Another version's tokens must not silently borrow a vector."""
    with pytest.raises(IndexError):
        table().lookup("user", BehaviorTokens(4, (0,) * 5))


def test_a_table_survives_its_tensors():
    """Its sizes too."""
    found = SoftTokenTable.from_tensors(table().to_tensors())
    np.testing.assert_array_equal(found.item, table().item)
    assert (found.hidden_size, found.codebook_size) == (2, 4)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(name, bad):
    """One NaN in prompt_embeds poisons a whole vLLM server until it is restarted."""
    tensors = {key: np.zeros(shape, np.float32) for key, shape in SHAPES.items()}
    tensors[name].reshape(-1)[-1] = bad
    with pytest.raises(ValueError, match="finite"):
        SoftTokenTable.from_tensors(tensors)


@pytest.mark.parametrize(("name", "shape"), [("style", (3, 3)), ("user", (5, 4, 2)), ("item", (6, 5, 2))])
def test_shapes_that_disagree_are_refused(name, shape):
    """Six levels, one codebook size, one hidden size."""
    tensors = {key: np.zeros(own, np.float32) for key, own in {**SHAPES, name: shape}.items()}
    with pytest.raises(ValueError, match="disagree"):
        SoftTokenTable.from_tensors(tensors)
