"""The frozen LLM: a tiny random Llama, held against transformers' own loss and against what the service sends."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from model_store.prompt import EncodedPrompt, embed_prompt
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from training.frozen_language_model import IGNORED, FrozenLanguageModel, PromptedText, common_length, padded

SLOTS = {"style": slice(1, 3), "user": slice(4, 10), "item": slice(11, 17)}
LENGTHS = {slot: where.stop - where.start for slot, where in SLOTS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llm")
    tiny_language_model(path)
    return path


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    """The model as transformers has it."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


@pytest.fixture(scope="module")
def model(folder: Path) -> FrozenLanguageModel:
    return FrozenLanguageModel.open(folder, dtype=torch.float32, embedding_scale=1.0)


def text_of(seed: int, *, before: int = 0, after: int = 4, target: int = 5) -> PromptedText:
    """Random ids; the slots begin `before` positions later than in SLOTS, the prompt ends `after` behind them."""
    rng = np.random.default_rng(seed)
    slots: Any = {slot: slice(where.start + before, where.stop + before) for slot, where in SLOTS.items()}
    prompt = EncodedPrompt(rng.integers(0, 250, 17 + before + after), slots)
    return PromptedText(prompt, rng.integers(0, 250, target))


TEXTS = [text_of(0), text_of(1, before=3, target=9), text_of(2, after=1, target=1)]


def soft_tokens(count: int) -> dict[str, torch.Tensor]:
    """Random soft tokens for so many prompts."""
    generator = torch.Generator().manual_seed(0)
    return {slot: torch.randn(count, n, HIDDEN_SIZE, generator=generator) * 0.3 for slot, n in LENGTHS.items()}


def row_of(soft: dict[str, torch.Tensor], row: int) -> dict[str, torch.Tensor]:
    return {slot: tensor[row : row + 1] for slot, tensor in soft.items()}


def test_a_padded_batch_answers_as_its_rows_do_alone(model):
    """Prompts and targets of three lengths: padding changes no row's likelihood."""
    soft = soft_tokens(3)
    alone = torch.cat([model.nll([text], row_of(soft, row)) for row, text in enumerate(TEXTS)])
    torch.testing.assert_close(model.nll(TEXTS, soft), alone, rtol=1e-5, atol=1e-5)


def test_the_likelihood_is_transformers_own_loss(model, theirs):
    """Over the same embeddings, with labels on the target alone, transformers' mean loss is the same number."""
    soft = soft_tokens(3)
    for row, text in enumerate(TEXTS):
        ids = torch.from_numpy(np.concatenate([text.prompt.token_ids, text.target_ids]))
        embeds = theirs.get_input_embeddings()(ids).detach().clone()
        for slot, where in text.prompt.slots.items():
            embeds[where] = soft[slot][row]
        labels = ids.clone()
        labels[: len(text.prompt.token_ids)] = IGNORED
        expected = theirs(inputs_embeds=embeds[None], labels=labels[None]).loss
        torch.testing.assert_close(model.nll([text], row_of(soft, row))[0], expected, rtol=1e-5, atol=1e-5)


def test_soft_tokens_land_at_the_slots_and_nowhere_else(model):
    """Slots hold the soft tokens, each row at its own positions; all other positions keep their word's embedding."""
    soft = soft_tokens(3)
    token_ids, _ = padded(TEXTS)
    words = model.embed(torch.from_numpy(token_ids))
    placed = model.place(words, TEXTS, soft)
    for row, text in enumerate(TEXTS):
        elsewhere = np.ones(token_ids.shape[1], bool)
        for slot, where in text.prompt.slots.items():
            assert torch.equal(placed[row, where], soft[slot][row])
            elsewhere[where] = False
        assert torch.equal(placed[row, elsewhere], words[row, elsewhere])


def test_training_reads_what_the_service_sends(model, folder):
    """The placed prompt equals `embed_prompt` of the same soft tokens, value for value."""
    soft = soft_tokens(3)
    placed = model.place(model.embed(torch.from_numpy(padded(TEXTS)[0])), TEXTS, soft)
    for row, text in enumerate(TEXTS):
        served: Any = {slot: tensor[row].numpy() for slot, tensor in soft.items()}
        expected = embed_prompt(text.prompt, TokenEmbeddings.open(folder), served)
        np.testing.assert_array_equal(placed[row, : len(expected)].numpy(), expected)


def test_gradients_reach_the_soft_tokens_and_no_weight(folder, theirs):
    """The gradient is finite and not zero at every slot; after a step the LLM's bytes are what they were."""
    soft = {slot: tensor.requires_grad_() for slot, tensor in soft_tokens(3).items()}
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model, before = FrozenLanguageModel(theirs), digest(theirs)
    optimizer = torch.optim.SGD(soft.values(), lr=1.0)
    model.nll(TEXTS, soft).mean().backward()
    for tensor in soft.values():
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.any(dim=-1).all()
    optimizer.step()
    assert digest(theirs) == before
    assert all(p.grad is None and not p.requires_grad for p in theirs.parameters())


def alike(count: int, *, shared: int) -> list[PromptedText]:
    """Texts of several lengths whose prompts have their first `shared` ids in common."""
    texts = [text_of(row, after=row + 1, target=3 + row) for row in range(count)]
    for text in texts:
        text.prompt.token_ids[:shared] = texts[0].prompt.token_ids[:shared]
        text.prompt.token_ids[shared] = text.target_ids[0] + 1  # and no more than those
    return texts


@pytest.mark.parametrize(("shared", "read"), [(0, 0), (2, 1), (3, 3), (4, 4), (12, 4)])
def test_what_prompts_begin_with_is_read_once(model, shared, read):
    """It ends where texts differ, before a slot that does not fit in, and before the first slot of a pair's own.

    Read once, in batches of two and one: likelihoods and gradients are those of prompts read whole.
    """
    texts = alike(3, shared=shared)
    whole, parts = soft_tokens(3), soft_tokens(3)
    for soft in (whole, parts):
        soft["style"] = soft["style"][:1]
        soft |= {slot: tensor.clone().requires_grad_() for slot, tensor in soft.items()}
    expected = model.nll(texts, {**whole, "style": whole["style"].expand(3, -1, -1)})
    expected.sum().backward()
    begun = model.begin(texts, parts)
    assert begun.length == read
    found = []
    for rows in (slice(0, 2), slice(2, 3)):
        soft = {slot: tensor[rows] for slot, tensor in parts.items() if slot != "style"}
        found.append(model.nll(texts[rows], {**soft, "style": parts["style"].expand(len(texts[rows]), -1, -1)}, begun))
        found[-1].sum().backward()
    begun.backward()
    torch.testing.assert_close(torch.cat(found), expected, rtol=1e-5, atol=1e-5)
    for slot, tensor in whole.items():
        torch.testing.assert_close(parts[slot].grad, tensor.grad, rtol=1e-4, atol=1e-5)


def test_a_beginning_is_never_a_whole_prompt():
    """Something is left to ask for the first word of the target."""
    prompt = EncodedPrompt(np.array([5, 6, 7]), {})
    assert common_length([prompt, prompt]) == 2
    assert common_length([prompt, EncodedPrompt(np.array([5]), {})]) == 0


def digest(model: Any) -> str:
    """Of all weights."""
    return sha256(b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())).hexdigest()


def test_labels_stand_on_targets_only():
    """By hand: two prompts of 2 and 1 ids, targets of 1 and 3."""
    texts = [
        PromptedText(EncodedPrompt(np.array([5, 6]), {}), np.array([7])),
        PromptedText(EncodedPrompt(np.array([8]), {}), np.array([1, 2, 3])),
    ]
    token_ids, labels = padded(texts)
    assert token_ids.tolist() == [[5, 6, 7, 0], [8, 1, 2, 3]]
    assert labels.tolist() == [[IGNORED, IGNORED, 7, IGNORED], [IGNORED, 1, 2, 3]]


def test_embeddings_are_scaled_as_the_first_layer_does(folder, theirs):
    """With `embedding_scale` 4 every embedding is four times the table's row; bfloat16 stays bfloat16."""
    scaled = FrozenLanguageModel.open(folder, dtype=torch.bfloat16, embedding_scale=4.0).embed(torch.tensor([3, 9]))
    assert scaled.dtype == torch.bfloat16
    rows = theirs.get_input_embeddings().weight[[3, 9]]
    torch.testing.assert_close(scaled.float(), 4 * rows.bfloat16().float())


def test_a_batch_is_written_as_its_rows_are_alone(model):
    """Prompts of several lengths, padded on the left, go on as each does by itself; the same twice."""
    soft = soft_tokens(len(TEXTS))
    together = model.written(TEXTS, soft, max_tokens=8, end=[1])
    for row, text in enumerate(TEXTS):
        alone = model.written([text], row_of(soft, row), max_tokens=8, end=[1])
        assert alone == together[row : row + 1]
    assert model.written(TEXTS, soft, max_tokens=8, end=[1]) == together


def test_what_is_written_is_the_likeliest_token_every_time(model):
    """Among all single tokens that may follow, the first written one has the lowest NLL."""
    soft = row_of(soft_tokens(1), 0)
    first = model.written(TEXTS[:1], soft, max_tokens=1, end=[1])[0][0]
    every = [PromptedText(TEXTS[0].prompt, np.array([token_id], np.int64)) for token_id in range(256)]
    nll = model.nll(every, {slot: tensor.expand(256, -1, -1) for slot, tensor in soft.items()})
    assert int(nll.argmin()) == first


def test_writing_stops_at_an_end(model):
    """The end itself is left out; without one, so many tokens are written as may be."""
    soft = row_of(soft_tokens(1), 0)
    whole = model.written(TEXTS[:1], soft, max_tokens=6, end=[1])[0]
    assert len(whole) == 6
    assert model.written(TEXTS[:1], soft, max_tokens=6, end=[whole[3]])[0] == whole[: whole.index(whole[3])]
