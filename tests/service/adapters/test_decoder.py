"""Decoder: side by side in slots, every row computes what the model computes for it alone."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from service.adapters.decoder import Decoder

HIDDEN, VOCAB = 16, 90
COMMON = {"vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": 32, "num_hidden_layers": 2}
CONFIGS = {
    "llama": {**COMMON, "num_attention_heads": 4, "num_key_value_heads": 2},
    "qwen2": {**COMMON, "num_attention_heads": 4, "num_key_value_heads": 1},  # biases
    "qwen3": {**COMMON, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8},  # norms of queries and keys
    "gemma2": {**COMMON, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4},  # soft caps: eager
    "gpt_neox": {**COMMON, "num_attention_heads": 4},
    "gpt2": {"vocab_size": VOCAB, "n_embd": HIDDEN, "n_layer": 2, "n_head": 4},  # learned positions
}


def _model(kind: str):
    """The same random model at every call, all weights large enough to matter."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **CONFIGS[kind]), dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def _prompts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, HIDDEN)).astype(np.float32) for length in lengths]


def _alone(model: PreTrainedModel, prompt: np.ndarray, steps: int) -> list[int]:
    """Greedy tokens by the whole forward pass of transformers over all positions, no cache at all."""
    embeds, token_ids = torch.from_numpy(prompt)[None], []
    for _ in range(steps):
        with torch.inference_mode():
            token_ids.append(int(model(inputs_embeds=embeds, use_cache=False).logits[0, -1].argmax()))
            embeds = torch.cat([embeds, model.get_input_embeddings()(torch.tensor([token_ids[-1:]]))], 1)
    return token_ids


def _side_by_side(decoder: Decoder, prompts: list[np.ndarray], steps: int) -> list[list[int]]:
    """Greedy tokens of the prompts, each in a slot of its own, step by step together."""
    rows = [[int(decoder.prefill(slot, prompt).argmax())] for slot, prompt in enumerate(prompts)]
    for _ in range(steps - 1):
        lengths = [len(prompt) + len(row) - 1 for prompt, row in zip(prompts, rows, strict=True)]
        for row, logits in zip(rows, decoder.step([row[-1] for row in rows], lengths), strict=True):
            row.append(int(logits.argmax()))
    return rows


class _Watched(Decoder):
    """Keeps in mind how many positions it read at a time."""

    def __init__(self, *args, **options):
        self.reads: list[int] = []
        super().__init__(*args, **options)

    def _read(self, embeds, cache, known=0):
        self.reads.append(embeds.shape[1])
        return super()._read(embeds, cache, known)


@pytest.mark.parametrize("kind", CONFIGS)
def test_rows_of_different_lengths_decode_as_each_does_alone(kind):
    """Three prompts in three slots, step by step together: the tokens of the plain model, for every architecture."""
    prompts, steps = _prompts(5, 9, 2), 6
    decoder = Decoder(_model(kind), slots=3, capacity=32)
    assert _side_by_side(decoder, prompts, steps) == [_alone(_model(kind), prompt, steps) for prompt in prompts]


@pytest.mark.parametrize("kind", CONFIGS)
def test_what_prompts_begin_with_is_read_once(kind):
    """Beside a prompt that begins otherwise and one that is no longer: the tokens of the plain model, step by step."""
    (beginning, first, second, other), steps = _prompts(6, 3, 1, 8), 4
    prompts = [np.concatenate([beginning, first]), other, np.concatenate([beginning, second]), beginning]
    decoder = _Watched(_model(kind), slots=4, capacity=32, beginning=beginning)
    assert _side_by_side(decoder, prompts, steps) == [_alone(_model(kind), prompt, steps) for prompt in prompts]
    assert decoder.reads == [6, 3, 8, 1, 6]


def test_a_beginning_too_long_to_keep_is_not_read():
    """Prompts of that length could not be answered either."""
    assert _Watched(_model("llama"), slots=1, capacity=4, beginning=_prompts(4)[0]).reads == []


def test_a_moved_row_goes_on_where_it_was():
    """After a move into another slot the next logits are those it would have had in its own."""
    first, second = _prompts(4, 7)
    decoder = Decoder(_model("llama"), slots=2, capacity=16)
    decoder.prefill(0, first)
    decoder.prefill(1, second)
    stayed = decoder.step([3, 5], [4, 7])[1]
    decoder.prefill(1, second)
    decoder.move(1, 0, length=7)
    assert torch.allclose(decoder.step([5], [7])[0], stayed, atol=1e-6)


def test_what_a_slot_held_before_is_forgotten():
    """A short prompt after a long one in the same slot gives the logits of a fresh decoder."""
    long, short = _prompts(12, 3)
    used, fresh = (Decoder(_model("llama"), slots=1, capacity=16) for _ in range(2))
    used.prefill(0, long)
    for decoder in (used, fresh):
        decoder.prefill(0, short)
    assert torch.equal(used.step([1], [3]), fresh.step([1], [3]))


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("beginning", [0, 1, 5])
def test_prompts_judged_together_have_the_logits_of_each_alone(kind, beginning):
    """Whatever they begin with in common and however long they are: what a prefill of each one computes."""
    prompts = _beginning_alike(beginning, lengths=[3, 9, 1, 4, 9])
    decoder = Decoder(_model(kind), slots=1, capacity=64)
    alone = [decoder.prefill(0, prompt) for prompt in prompts]
    (together,) = decoder.first_logits(prompts)
    assert sorted(together.rows) == [0, 1, 2, 3, 4]
    for row, logits in zip(together.rows, together.logits, strict=True):
        assert torch.allclose(logits, alone[row], rtol=1e-5, atol=1e-4), (logits - alone[row]).abs().max()


def test_more_prompts_than_may_go_together_are_judged_in_several_batches():
    """Of 12 positions at most two ends of five go together; all are answered once, as alone."""
    prompts = _beginning_alike(3, lengths=[5, 2, 5, 5, 1])
    decoder = Decoder(_model("llama"), slots=1, capacity=32)
    alone = [decoder.prefill(0, prompt) for prompt in prompts]
    found = list(decoder.first_logits(prompts, max_positions=12))
    assert all(max(len(prompts[row]) - 3 for row in batch.rows) * len(batch.rows) <= 12 for batch in found)
    assert sorted(row for batch in found for row in batch.rows) == [0, 1, 2, 3, 4]
    for batch in found:
        for row, logits in zip(batch.rows, batch.logits, strict=True):
            assert torch.allclose(logits, alone[row], rtol=1e-5, atol=1e-4)


def test_judging_touches_no_slot():
    """Bit for bit the next logits of a busy slot are what they are without a judgement before them."""
    decoder, (prompt, *others) = Decoder(_model("llama"), slots=2, capacity=32), _prompts(7, 4, 6)
    decoder.prefill(0, prompt)
    expected = decoder.step([3], [7])
    decoder.prefill(0, prompt)
    list(decoder.first_logits(others))
    assert torch.equal(decoder.step([3], [7]), expected)


def _beginning_alike(beginning: int, *, lengths: list[int]) -> list[np.ndarray]:
    shared, *ends = _prompts(beginning, *lengths)
    return [np.concatenate([shared, end]) for end in ends]


def test_the_window_of_a_sliding_model_bounds_the_capacity():
    """Attention sees the whole slot, so no slot may be longer than the model's own window."""
    config = AutoConfig.for_model("mistral", **CONFIGS["llama"], sliding_window=24)
    decoder = Decoder(AutoModelForCausalLM.from_config(config), slots=1, capacity=64)
    assert decoder.capacity == 24
