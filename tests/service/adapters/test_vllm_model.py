"""What goes to a vLLM server, and what its answers and failures become."""

import asyncio
import json

import httpx
import numpy as np
import pytest

from service.adapters.vllm_model import VllmModel
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from tests.vllm_stand_in import VllmStandIn


@pytest.fixture
def spec(tmp_path):
    return tiny_language_model(tmp_path)


@pytest.fixture
def server(tmp_path, spec) -> VllmStandIn:
    return VllmStandIn(tmp_path, spec.eos_token_ids[0])


@pytest.fixture
async def model(tmp_path, spec, server):
    made = VllmModel("http://vllm", tmp_path, spec, timeout_s=0.5, transport=httpx.ASGITransport(server))
    yield made
    await made.close()


def _prompt(length: int = 5) -> np.ndarray:
    return np.random.default_rng(length).normal(0, 0.3, (length, HIDDEN_SIZE)).astype(np.float32)


async def test_a_request_says_what_must_be_said_and_no_penalty(model, server, spec):
    """Model, tokens, temperature, explicit stop ids; nothing that has been seen to stop an engine."""
    await model.generate(_prompt(), max_tokens=7)
    (body,) = server.bodies
    assert len(body.pop("prompt_embeds")) == 1
    assert body == {
        "model": "tiny-llama",
        "max_tokens": 7,
        "temperature": 0.0,
        "stop_token_ids": list(spec.eos_token_ids),
        "return_token_ids": True,
    }


async def test_the_end_token_is_no_part_of_the_answer(model):
    """The stand-in ends after twelve letters: twelve ids, "stop"; cut at seven: seven ids, "length"."""
    whole, cut = await model.generate(_prompt(), max_tokens=50), await model.generate(_prompt(), max_tokens=7)
    assert (whole.completion_tokens, len(whole.text), whole.finish_reason) == (12, 12, "stop")
    assert (cut.completion_tokens, cut.finish_reason) == (7, "length")
    assert whole.text.startswith(cut.text)


async def test_a_list_goes_in_one_call_and_comes_back_in_order(model, server):
    """Three prompts, one request; the server answers backwards, the answers stand in their places all the same."""
    prompts = [_prompt(3), _prompt(4), _prompt(9)]
    together = await model.generate_many(prompts, max_tokens=6)
    assert len(server.bodies) == 1
    assert together == [await model.generate(prompt, max_tokens=6) for prompt in prompts]


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 7), np.float32), np.zeros((2, HIDDEN_SIZE)), np.full((2, HIDDEN_SIZE), np.inf, np.float32)]
)
async def test_what_could_harm_the_server_is_never_sent(model, server, bad):
    """Wrong width, float64, infinity: ValueError here, no request there, not even for the good ones beside it."""
    with pytest.raises(ValueError, match="prompt_embeds"):
        await model.generate_many([_prompt(), bad], max_tokens=2)
    assert server.bodies == []


async def test_first_tokens_are_asked_for_by_id_in_one_call(model, server):
    """One token a prompt, and those log-probabilities that are wanted, however improbable."""
    told = await model.first_token_logprobs([_prompt(5), _prompt(9)], [65, 70])
    (body,) = server.bodies
    assert (body["max_tokens"], body["logprob_token_ids"], len(body["prompt_embeds"])) == (1, [65, 70], 2)
    server.tells_asked_tokens = False  # an older server: only the most probable ones
    most_probable = await model.first_token_logprobs([_prompt(5), _prompt(9)], [65, 70])
    assert (most_probable >= told).all()
    assert (most_probable > told).any()


@pytest.mark.parametrize("status", [500, 400])
async def test_judging_fails_as_writing_does(model, server, status):
    """By the errors that the breaker knows."""
    server.status = status
    with pytest.raises(LanguageModelUnavailable):
        await model.first_token_logprobs([_prompt()], [65])


async def test_a_slow_server_is_a_timeout(model, server):
    """Half a second was allowed."""
    server.delay_s = 30
    with pytest.raises(LanguageModelTimeout, match=r"0\.5 s"):
        await model.generate(_prompt(), max_tokens=2)


@pytest.mark.parametrize(("status", "error"), [(500, LanguageModelUnavailable), (429, Overloaded)])
async def test_error_statuses_become_errors_of_ours(model, server, status, error):
    """A broken server is unavailable; a full one is overloaded."""
    server.status = status
    with pytest.raises(error):
        await model.generate(_prompt(), max_tokens=2)


async def test_no_server_is_unavailable_and_its_address_stays_inside(tmp_path, spec):
    """A refused connection, for real; the reason is fit for a client's eyes."""
    model = VllmModel("http://127.0.0.1:9", tmp_path, spec)
    with pytest.raises(LanguageModelUnavailable) as caught:
        await model.generate(_prompt(), max_tokens=2)
    assert "127.0.0.1" not in str(caught.value)
    await model.close()


async def test_a_closed_model_is_unavailable(model):
    """Not a bare RuntimeError of the HTTP client."""
    await model.close()
    with pytest.raises(LanguageModelUnavailable):
        await model.generate(_prompt(), max_tokens=2)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [7]}',
        json.dumps({"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]}).encode(),
        json.dumps({"choices": [{"index": 0, "text": "a", "token_ids": [97], "finish_reason": "abort"}]}).encode(),
    ],
)
async def test_an_answer_in_another_form_is_unavailable(model, server, answer):
    """HTML, other JSON, no ids, an unknown ending: never a crash, never half an answer."""
    server.raw_answer = answer
    with pytest.raises(LanguageModelUnavailable, match="form"):
        await model.generate(_prompt(), max_tokens=2)


async def test_a_stream_asks_for_one_and_tells_the_servers_times(model, server):
    """The request says stream and usage; queue and first token are what the server measured."""
    *_, generation = [piece async for piece in model.stream(_prompt(), max_tokens=7, temperature=0.5, seed=3)]
    (body,) = server.bodies
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert (body["temperature"], body["seed"]) == (0.5, 3)
    assert (generation.times.queue_s, generation.times.first_token_s) == (0.002, 0.03)


@pytest.mark.parametrize("chunks", [0, 3, 13])
async def test_a_stream_that_breaks_off_is_no_answer(model, server, chunks):
    """Before the first chunk, in the middle, before the end was said."""
    server.breaks_off_after = chunks
    with pytest.raises(LanguageModelUnavailable, match="broke off"):
        [piece async for piece in model.stream(_prompt(), max_tokens=50)]


async def test_a_streams_failures_are_those_of_a_whole_answer(model, server):
    """Status, deadline and emptiness of a poisoned server."""
    server.status = 500
    with pytest.raises(LanguageModelUnavailable, match="500"):
        await anext(model.stream(_prompt(), max_tokens=2))
    server.status, server.poisoned = 200, True
    with pytest.raises(LanguageModelUnavailable, match="empty"):
        [piece async for piece in model.stream(_prompt(), max_tokens=2)]
    server.delay_s = 30
    with pytest.raises(LanguageModelTimeout):
        await anext(model.stream(_prompt(), max_tokens=2))


async def test_the_check_asks_for_words_and_compares_ids_with_embeddings_once(model, server):
    """First the canary as embeddings and as ids; later, while all is well, the canary alone."""
    await model.check()
    assert [sorted({"prompt", "prompt_embeds"} & body.keys()) for body in server.bodies] == [
        ["prompt_embeds"],
        ["prompt"],
    ]
    await model.check()
    assert len(server.bodies) == 3


async def test_another_table_on_the_other_side_fails_the_check(model, server):
    """Ids and their embeddings answered differently: the model there is not the one these embeddings are of."""
    server.other_table = True
    with pytest.raises(LanguageModelUnavailable, match="differ"):
        await model.check()
    server.other_table = False
    await model.check()


async def test_a_poisoned_engine_fails_the_check_although_its_status_is_200(model, server):
    """Empty answers to everything: found by the canary, and parity is asked again once it is back."""
    await model.check()
    server.poisoned = True
    with pytest.raises(LanguageModelUnavailable, match="empty"):
        await model.check()
    server.poisoned = False
    asked = len(server.bodies)
    await model.check()
    assert len(server.bodies) == asked + 2


async def test_an_empty_answer_is_believed_only_after_a_canary(model, server):
    """A prompt that ends at once on a sound server is an empty answer; on a poisoned one it is an error."""
    server.ends_at_once = 5
    answer = await model.generate(_prompt(5), max_tokens=4)
    assert (answer.text, answer.token_ids, answer.finish_reason) == ("", (), "stop")
    server.poisoned = True
    with pytest.raises(LanguageModelUnavailable, match="empty"):
        await model.generate(_prompt(5), max_tokens=4)


async def test_a_full_server_passes_the_check(model, server):
    """It answers others: it is alive."""
    server.status = 429
    await model.check()


async def test_a_caller_who_leaves_is_let_go(model, server):
    """Cancelling does not wait for the server."""
    server.delay_s = 30
    leaving = asyncio.create_task(model.generate(_prompt(), max_tokens=2))
    await asyncio.sleep(0.05)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(leaving, 1)
