"""The projector: where it starts, what it exports, and what the alignment loss holds together."""

import numpy as np
import pytest
import torch

from model_store.soft_tokens import WordKeys, anchors
from tests.artifacts import CODEBOOK_SIZE, HIDDEN_SIZE, random_words
from training.projector import Projector, SideStart, Start, alignment_loss

NUM_STYLE, NUM_SOFT, WIDTH, SIZE, DIM = 4, 3, 8, 0.3, 6
CODES = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 2, 1, 0, 3, 2]])


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def start_of(num_words: int = 7, *, longer: float = 1.0) -> Start:
    """Random codewords, words and style; the users' codewords so many times as long."""
    keys = WordKeys(drawn(5, DIM, num_words), drawn(6, num_words))
    codewords = [drawn(seed, 6, CODEBOOK_SIZE, DIM) for seed in (1, 2)]
    sides = SideStart(codewords[0] * np.float32(longer), keys), SideStart(codewords[1], keys)
    return Start(drawn(3, NUM_STYLE, HIDDEN_SIZE), random_words(np.random.default_rng(7), num_words), *sides)


def projector_of(start: Start | None = None) -> Projector:
    """An untrained projector."""
    torch.manual_seed(0)
    return Projector(start or start_of(), num_soft=NUM_SOFT, width=WIDTH, size=SIZE)


def stirred(projector: Projector) -> Projector:
    """The same with every parameter moved, as by training."""
    with torch.no_grad():
        for p in projector.parameters():
            p.add_(torch.randn_like(p))
    return projector


def test_it_starts_at_the_words_of_its_codes():
    """Before the first step a node's soft tokens are its best words; without words they are something, not zero."""
    soft = projector_of().soft_tokens(CODES, CODES)
    start = start_of()
    sums = np.stack([start.user.codewords[range(6), row].sum(axis=0) for row in CODES.numpy()])
    np.testing.assert_array_equal(soft["user"].detach().numpy(), anchors(start.user.keys, start.words, sums, NUM_SOFT))
    np.testing.assert_array_equal(soft["style"][0].detach().numpy(), projector_of().style_start.numpy())
    alone = projector_of(start_of(0)).soft_tokens(CODES, CODES)["user"]
    assert alone.detach().norm(dim=-1).min() > 0


@pytest.mark.parametrize("num_words", [7, 0])
def test_what_is_exported_reads_as_training_did(num_words):
    """The service's numpy gives the soft tokens of the forward pass, slot by slot, whatever was learned."""
    projector = stirred(projector_of(start_of(num_words)))
    exported = projector.exported()
    soft = {slot: tensor.detach().numpy() for slot, tensor in projector.soft_tokens(CODES, CODES.flip(0)).items()}
    codes = CODES.numpy().astype(np.uint16)
    np.testing.assert_allclose(exported.read("user", codes), soft["user"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(exported.read("item", codes[::-1]), soft["item"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(exported.style, soft["style"][0])


def test_what_is_exported_stays_when_training_goes_on():
    projector = stirred(projector_of())
    exported = projector.exported()
    before, style = exported.read("user", CODES.numpy()), exported.style.copy()
    stirred(projector)
    np.testing.assert_array_equal(exported.style, style)
    np.testing.assert_array_equal(exported.read("user", CODES.numpy()), before)


def test_every_parameter_learns_once_the_output_layer_has_moved():
    """From the tokens of one pair gradients reach both sides."""
    projector = stirred(projector_of())
    sum(tensor.square().sum() for tensor in projector.soft_tokens(CODES, CODES).values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and bool(p.grad.any()) for p in projector.parameters())


def test_codewords_are_read_at_one_size():
    """Codebooks a thousand times as long make the same tokens: what counts is direction and share."""
    same = projector_of(start_of(0, longer=1000))
    ours = projector_of(start_of(0)).soft_tokens(CODES, CODES)["user"]
    torch.testing.assert_close(same.soft_tokens(CODES, CODES)["user"], ours, rtol=1e-4, atol=1e-5)


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
