"""The engine in this process: batches that change nothing, bounded waiting, prompt ends."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from model_store.prompt import PromptEncoder, embed_prompt
from model_store.templates import default_template
from model_store.tensor_file import load_tensors, save_tensors
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.transformers_model import TransformersModel
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from tests.artifacts import HIDDEN_SIZE, tiny_language_model

LONG = 1500
"""Tokens that take the tiny model seconds."""


@pytest.fixture
def make_model(tmp_path):
    """Engines over the tiny random Llama, closed at the end. Its end token never comes: answers run to max_tokens."""
    spec, made = tiny_language_model(tmp_path), []

    def make(**options) -> TransformersModel:
        made.append(TransformersModel(tmp_path, spec, dtype="float32", **options))
        return made[-1]

    yield make
    for model in made:
        asyncio.run(model.close())


def _prompt(length: int = 6) -> np.ndarray:
    return np.random.default_rng(length).normal(0, 0.3, (length, HIDDEN_SIZE)).astype(np.float32)


async def test_rows_that_join_and_leave_at_any_token_answer_as_alone(make_model):
    """Twelve prompts of many lengths and ends, three slots, arriving over time: each answer is its own."""
    model = make_model(max_batch=3)
    jobs = [(_prompt(1 + 5 * row % 23), 3 + 7 * row % 19) for row in range(12)]
    alone = [await model.generate(prompt, max_tokens=max_tokens) for prompt, max_tokens in jobs]
    tasks = []
    for prompt, max_tokens in jobs:
        tasks.append(asyncio.create_task(model.generate(prompt, max_tokens=max_tokens)))
        await asyncio.sleep(0.002)
    assert await asyncio.gather(*tasks) == alone


async def test_a_full_queue_refuses_at_once(make_model):
    """One works, two wait, the rest are told to come back; those that were taken are answered."""
    model = make_model(max_batch=1, max_waiting=2)
    tasks = [asyncio.create_task(model.generate(_prompt(), max_tokens=60)) for _ in range(12)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert refused
    assert refused[0].retry_after_s
    assert len(answered) + len(refused) == 12
    assert len({answer.token_ids for answer in answered}) == 1


async def test_a_deadline_that_passes_frees_the_slot(make_model):
    """The late caller gets LanguageModelTimeout with the limit; the only slot is free for the next."""
    model = make_model(max_batch=1, timeout_s=0.5)
    with pytest.raises(LanguageModelTimeout, match=r"0\.5 s"):
        await model.generate(_prompt(), max_tokens=LONG)
    assert (await model.generate(_prompt(), max_tokens=2)).completion_tokens == 2


async def test_a_cancelled_callers_slot_is_free_at_the_next_token(make_model):
    """With one slot and a long answer under way that nobody awaits any more, a short one is answered in time."""
    model = make_model(max_batch=1, timeout_s=1.0)
    leaving = asyncio.create_task(model.generate(_prompt(), max_tokens=LONG))
    await asyncio.sleep(0.05)
    leaving.cancel()
    assert (await model.generate(_prompt(), max_tokens=2)).completion_tokens == 2


async def test_a_closed_streams_slot_is_free_at_the_next_token(make_model):
    """As with a cancelled caller: one slot, a long stream left after its first piece, a short answer in time."""
    model = make_model(max_batch=1, timeout_s=1.0)
    async with aclosing(model.stream(_prompt(), max_tokens=LONG)) as pieces:
        await anext(pieces)
    assert (await model.generate(_prompt(), max_tokens=2)).completion_tokens == 2


async def test_judging_waits_for_no_slot(make_model):
    """Beside a long text in the only slot prompts are judged as alone, while it is written."""
    model, prompts = make_model(max_batch=1), [_prompt(6), _prompt(9)]
    alone = await model.first_token_logprobs(prompts, [65, 66])
    writing = asyncio.create_task(model.generate(_prompt(), max_tokens=LONG))
    beside = await model.first_token_logprobs(prompts, [65, 66])
    assert not writing.done()
    assert beside == pytest.approx(alone, abs=1e-5)
    writing.cancel()


async def test_nothing_to_judge_is_no_question(make_model):
    """No prompts, no rows."""
    assert (await make_model().first_token_logprobs([], [65, 66])).shape == (0, 2)


async def test_pieces_come_while_it_writes(make_model):
    """The first piece of a long answer is there long before the answer is over."""
    model = make_model()
    async with aclosing(model.stream(_prompt(), max_tokens=300)) as pieces:
        await anext(pieces)
        first_s = time.perf_counter()
        *_, generation = [piece async for piece in pieces]
    assert time.perf_counter() - first_s > generation.times.first_token_s
    assert generation.completion_tokens == 300


async def test_those_who_left_the_queue_hold_no_place_in_it(make_model):
    """One at work, two waiting fill it; both leave, and two others are taken."""
    model = make_model(max_batch=1, max_waiting=2)
    working = asyncio.create_task(model.generate(_prompt(), max_tokens=200))
    await asyncio.sleep(0.05)
    leaving = [asyncio.create_task(model.generate(_prompt(), max_tokens=5)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    answers = await asyncio.gather(*(model.generate(_prompt(), max_tokens=5) for _ in range(2)))
    assert [answer.completion_tokens for answer in answers] == [5, 5]
    await working


async def test_a_table_of_another_model_fails_the_check(tmp_path):
    """Our embeddings at forty times their size: ids and embeddings are answered differently, found before any user."""
    spec = replace(tiny_language_model(tmp_path), embedding_scale=40.0)
    model = TransformersModel(tmp_path, spec, dtype="float32")
    with pytest.raises(LanguageModelUnavailable, match="differ"):
        await model.check()
    await model.close()


async def test_close_answers_those_who_wait(make_model):
    """Nobody hangs: the one at work and the one in the queue learn that the model is closed, and so do later ones."""
    model = make_model(max_batch=1)
    tasks = [asyncio.create_task(model.generate(_prompt(), max_tokens=LONG)) for _ in range(2)]
    await asyncio.sleep(0.05)
    await model.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LanguageModelUnavailable] * 2
    with pytest.raises(LanguageModelUnavailable, match="closed"):
        await model.generate(_prompt(), max_tokens=2)
    with pytest.raises(LanguageModelUnavailable, match="closed"):
        await model.check()


async def test_the_event_loop_runs_on_while_it_decodes(make_model):
    """During one long answer other coroutines get hundreds of turns."""
    model = make_model(timeout_s=60)
    answer, turns = asyncio.create_task(model.generate(_prompt(), max_tokens=300)), 0
    while not answer.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 300


async def test_prompts_beyond_the_context_are_refused_and_answers_cut_to_it(make_model):
    """2,048 positions in all: a prompt of 2,040 gets 8 tokens, one of 2,048 none."""
    model = make_model()
    assert (await model.generate(_prompt(2040), max_tokens=100)).completion_tokens == 8
    with pytest.raises(ValueError, match="at most 2047 fit"):
        await model.generate(_prompt(2048), max_tokens=100)


async def test_what_is_not_finite_is_refused(make_model):
    """A NaN in a prompt is our mistake, told as such; the engine goes on."""
    model = make_model()
    with pytest.raises(ValueError, match="finite"):
        await model.generate(np.full((3, HIDDEN_SIZE), np.nan, np.float32), max_tokens=2)
    await model.check()


async def test_a_model_that_computes_nonsense_fails_its_check(tmp_path):
    """One weight of its last norm is infinite: no text is made of such logits, and the check says why."""
    spec = tiny_language_model(tmp_path)
    weights = {name: np.array(weight) for name, weight in load_tensors(tmp_path / "model.safetensors").items()}
    weights["model.norm.weight"][0] = np.inf
    save_tensors(tmp_path / "model.safetensors", weights, {"format": "pt"})
    model = TransformersModel(tmp_path, spec, dtype="float32")
    with pytest.raises(LanguageModelUnavailable, match="not finite"):
        await model.check()
    await model.close()


async def test_the_real_model_says_what_generate_says_and_stops(smollm2):
    """SmolLM2 in float32, a real prompt with soft tokens from its own table: the ids of model.generate, to the end."""
    embeddings, encoder = TokenEmbeddings.open(smollm2.folder), PromptEncoder.open(smollm2.folder)
    encoded = encoder.encode(default_template(smollm2.spec.chat).render(title="Alien", history=["Heat", "Fargo"]))
    soft = {slot: embeddings.rows(range(400, 400 + where.stop - where.start)) for slot, where in encoded.slots.items()}
    prompts = [embed_prompt(encoded, embeddings, soft), embeddings.rows(encoder.encode_text("One, two,", trusted=True))]
    model = TransformersModel(smollm2.folder, smollm2.spec, dtype="float32", timeout_s=120)
    await model.check()
    answers = await asyncio.gather(*(model.generate(prompt, max_tokens=24) for prompt in prompts))
    await model.close()
    plain = AutoModelForCausalLM.from_pretrained(smollm2.folder, dtype=torch.float32).eval()
    for prompt, answer in zip(prompts, answers, strict=True):
        embeds = torch.from_numpy(prompt)[None]
        mask = torch.ones(embeds.shape[:2])
        expected = plain.generate(inputs_embeds=embeds, attention_mask=mask, max_new_tokens=24, do_sample=False)[0]
        ended = expected[-1].item() in smollm2.spec.eos_token_ids
        assert list(answer.token_ids) == expected.tolist()[: -1 if ended else None]
        assert answer.finish_reason == ("stop" if ended else "length")
        assert "<|im_end|>" not in answer.text


def test_a_folder_without_weights_is_told_at_once(tmp_path):
    """The constructor raises what loading raised, although another thread loads."""
    spec = tiny_language_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="model_type"):
        TransformersModel(tmp_path, spec)
