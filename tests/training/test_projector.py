"""The projector: where it starts, what it exports, and what the alignment loss holds together."""

import numpy as np
import pytest
import torch

from model_store.types import BehaviorTokens
from tests.artifacts import CODEBOOK_SIZE, HIDDEN_SIZE
from training.projector import Projector, SideInputs, alignment_loss

NUM_STYLE, WIDTH, SIZE = 3, 8, 0.3


def side_inputs(seed: int) -> SideInputs:
    """Random codewords of six dimensions, random anchors."""
    rng = np.random.default_rng(seed)
    codewords = rng.normal(size=(6, CODEBOOK_SIZE, 6)).astype(np.float32)
    return SideInputs(codewords, rng.normal(size=(6, CODEBOOK_SIZE, HIDDEN_SIZE)).astype(np.float32))


def projector_of(*, anchored: bool = True) -> Projector:
    """An untrained projector."""
    torch.manual_seed(0)
    style = np.random.default_rng(3).normal(size=(NUM_STYLE, HIDDEN_SIZE)).astype(np.float32)
    return Projector(side_inputs(1), side_inputs(2), style, width=WIDTH, size=SIZE, anchored=anchored)


def stirred(projector: Projector) -> Projector:
    """The same with every parameter moved, as by training."""
    with torch.no_grad():
        for p in projector.parameters():
            p.add_(torch.randn_like(p))
    return projector


def test_an_anchored_projector_starts_at_its_anchors():
    """Before the first step each code is exactly its anchor and the style its start; without anchors it is neither."""
    table = projector_of().table()
    np.testing.assert_array_equal(table.user, side_inputs(1).anchors)
    np.testing.assert_array_equal(table.item, side_inputs(2).anchors)
    np.testing.assert_array_equal(table.style, projector_of().style_start.numpy())
    assert not np.isclose(projector_of(anchored=False).table().user, side_inputs(1).anchors).any()


@pytest.mark.parametrize("anchored", [True, False])
def test_the_exported_table_is_what_training_saw(anchored):
    """Looking codes up in the table gives the soft tokens of the forward pass, slot by slot."""
    projector = stirred(projector_of(anchored=anchored))
    table = projector.table()
    codes = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 2, 1, 0, 3, 2]])
    soft = {slot: tensor.detach().numpy() for slot, tensor in projector.soft_tokens(codes, codes.flip(0)).items()}
    for row in range(2):
        user, item = BehaviorTokens.from_codes(codes[row].tolist()), BehaviorTokens.from_codes(codes[1 - row].tolist())
        np.testing.assert_array_equal(soft["user"][row], table.lookup("user", user))
        np.testing.assert_array_equal(soft["item"][row], table.lookup("item", item))
        np.testing.assert_array_equal(soft["style"][row], table.style)


def test_the_correction_is_the_paper_s_mlp_beside_a_table():
    """By numpy: anchor + size * (W2 gelu(W1 c + level) + b2 + own), codewords of each level at mean length 1."""
    torch.manual_seed(1)
    side = stirred(projector_of()).user
    weights = {name: p.detach().double().numpy() for name, p in side.named_parameters()}
    inputs = side_inputs(1)
    lengths = np.linalg.norm(inputs.codewords, axis=-1).mean(axis=1)
    c = inputs.codewords / lengths[:, None, None]
    h = c @ weights["inner.weight"].T + weights["inner.bias"] + weights["level"]
    gelu = torch.nn.functional.gelu(torch.from_numpy(h)).numpy()
    corrected = gelu @ weights["outer.weight"].T + weights["outer.bias"] + weights["own"]
    np.testing.assert_allclose(side().detach().numpy(), inputs.anchors + SIZE * corrected, rtol=1e-3, atol=1e-4)


def test_every_parameter_learns_once_the_output_layer_has_moved():
    """From the tokens of one pair gradients reach both sides, the style, and of `own` only the codes that were met."""
    projector = stirred(projector_of())
    codes = torch.zeros(1, 6, dtype=torch.int64)
    sum(tensor.square().sum() for tensor in projector.soft_tokens(codes, codes).values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and bool(p.grad.any()) for p in projector.parameters())
    met = projector.user.own.grad
    assert met is not None
    assert not met[:, 1:].any()


def test_alignment_is_zero_for_tokens_of_the_same_geometry():
    """Tokens that are the words themselves, in another order and twice as long, keep every cosine."""
    words = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    assert alignment_loss(words, 2 * words.flip(0)).item() == pytest.approx(0, abs=1e-10)


def test_alignment_equals_the_formula_written_out():
    """With plain loops: assign each word to its most similar token, compare all pairs of cosines."""
    rng = np.random.default_rng(0)
    words, tokens = rng.normal(size=(7, 4)), rng.normal(size=(3, 4))

    def cosine(a, b) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assigned = [tokens[int(np.argmax([cosine(word, token) for token in tokens]))] for word in words]
    gaps = [(cosine(assigned[i], assigned[j]) - cosine(words[i], words[j])) ** 2 for i in range(7) for j in range(7)]
    loss = alignment_loss(torch.from_numpy(words), torch.from_numpy(tokens))
    assert loss.item() == pytest.approx(sum(gaps) / 49, rel=1e-4)
