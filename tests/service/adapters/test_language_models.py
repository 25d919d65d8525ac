"""One contract over every language model, the fake included."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import numpy as np
import pytest

from service.adapters.transformers_model import TransformersModel
from service.adapters.vllm_model import VllmModel
from service.interfaces import LanguageModel
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from tests.fakes import FakeLanguageModel
from tests.vllm_stand_in import VllmStandIn


@pytest.fixture(params=["transformers", "vllm", "fake"])
async def model(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[LanguageModel]:
    made: LanguageModel
    spec = tiny_language_model(tmp_path)
    if request.param == "transformers":
        made = TransformersModel(tmp_path, spec, dtype="float32", max_batch=3)
    elif request.param == "vllm":
        transport = httpx.ASGITransport(VllmStandIn(tmp_path, spec.eos_token_ids[0]))
        made = VllmModel("http://vllm", tmp_path, spec, transport=transport)
    else:
        made = FakeLanguageModel()
    yield made
    await made.close()


def _prompts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(0, 0.3, (length, HIDDEN_SIZE)).astype(np.float32) for length in lengths]


class TestLanguageModelContract:
    """What the service relies on, whichever engine answers."""

    async def test_an_answer_adds_up(self, model):
        """Some text, at most max_tokens tokens, both counts true, and "length" only where the tokens ran out."""
        for max_tokens in (1, 4, 30):
            answer = await model.generate(_prompts(11)[0], max_tokens=max_tokens)
            assert answer.text
            assert answer.prompt_tokens == 11
            assert 1 <= answer.completion_tokens == len(answer.token_ids) <= max_tokens
            assert answer.finish_reason == "stop" or answer.completion_tokens == max_tokens

    async def test_greedy_says_the_same_twice(self, model):
        """Temperature 0 is the default and leaves nothing to chance."""
        prompt = _prompts(9)[0]
        assert await model.generate(prompt, max_tokens=8) == await model.generate(prompt, max_tokens=8)

    async def test_answers_given_at_once_are_those_given_one_by_one(self, model):
        """Ten callers at once, more than one batch holds, each get what they would get alone."""
        prompts = _prompts(5, 17, 2, 8, 30, 1, 12, 9, 3, 21)
        alone = [await model.generate(prompt, max_tokens=4 + row) for row, prompt in enumerate(prompts)]
        at_once = await asyncio.gather(
            *(model.generate(prompt, max_tokens=4 + row) for row, prompt in enumerate(prompts))
        )
        assert at_once == alone

    async def test_a_list_is_answered_as_its_prompts_alone(self, model):
        """In order, whatever their lengths."""
        prompts = _prompts(5, 17, 2, 8, 30)
        together = await model.generate_many(prompts, max_tokens=9)
        assert together == [await model.generate(prompt, max_tokens=9) for prompt in prompts]

    async def test_a_stream_is_the_same_answer_in_pieces(self, model):
        """Its pieces joined are its closing Generation's text, and that is what `generate` answers."""
        for prompt in _prompts(9, 14):
            *pieces, generation = [piece async for piece in model.stream(prompt, max_tokens=12)]
            assert "".join(pieces) == generation.text
            assert pieces
            assert generation == await model.generate(prompt, max_tokens=12)

    async def test_a_stream_that_is_closed_early_harms_nobody(self, model):
        """After its first piece its caller leaves: the next answer is what it was before."""
        leaving, staying = _prompts(7, 11)
        before = await model.generate(staying, max_tokens=6)
        async with aclosing(model.stream(leaving, max_tokens=12)) as pieces:
            assert await anext(pieces)
        assert await model.generate(staying, max_tokens=6) == before

    async def test_a_seed_fixes_what_is_drawn(self, model):
        """The same seed draws the same text twice."""
        prompt = _prompts(6)[0]
        first = await model.generate(prompt, max_tokens=10, temperature=1.5, seed=7)
        assert await model.generate(prompt, max_tokens=10, temperature=1.5, seed=7) == first

    async def test_where_the_time_went_adds_up(self, model):
        """No part is negative, and together they are no more than what the caller waited."""
        started = time.perf_counter()
        times = (await model.generate(_prompts(6)[0], max_tokens=10)).times
        waited_s = time.perf_counter() - started
        assert min(times.queue_s, times.first_token_s, times.decode_s) >= 0
        assert times.queue_s + times.first_token_s + times.decode_s <= waited_s

    async def test_sampling_is_taken(self, model):
        """A temperature above 0 gives a whole answer too."""
        answer = await model.generate(_prompts(6)[0], max_tokens=5, temperature=0.8)
        assert 0 <= answer.completion_tokens <= 5

    async def test_first_tokens_are_judged_together_as_alone(self, model):
        """Log-probabilities, in the order asked, whatever length the neighbours have."""
        prompts = _prompts(5, 17, 2, 17, 30, 1)
        together = await model.first_token_logprobs(prompts, [65, 70, 65])
        assert together.shape == (6, 3)
        assert together.dtype == np.float32
        assert (together <= 0).all()
        assert np.isfinite(together).all()
        assert len({*together[:, 0].tolist()}) > 1
        for row, prompt in enumerate(prompts):
            alone = await model.first_token_logprobs([prompt], [65, 70, 65])
            assert together[row] == pytest.approx(alone[0], abs=1e-4)

    async def test_judging_leaves_texts_as_they_are(self, model):
        """Prompts judged while others are written change neither."""
        prompts = _prompts(6, 9, 12, 4)
        texts = [await model.generate(prompt, max_tokens=12) for prompt in prompts]
        judged = await model.first_token_logprobs(prompts, [65, 70])
        *written, judged_beside = await asyncio.gather(
            *(model.generate(prompt, max_tokens=12) for prompt in prompts),
            model.first_token_logprobs(prompts, [65, 70]),
        )
        assert written == texts
        assert judged_beside == pytest.approx(judged, abs=1e-4)

    async def test_a_caller_who_leaves_harms_nobody(self, model):
        """Of four at once one is cancelled: the others' answers are whole."""
        prompts = _prompts(6, 7, 8, 9)
        alone = [await model.generate(prompt, max_tokens=20) for prompt in prompts]
        tasks = [asyncio.create_task(model.generate(prompt, max_tokens=20)) for prompt in prompts]
        await asyncio.sleep(0)
        tasks[1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [answer for row, answer in enumerate(answers) if row != 1] == [alone[0], *alone[2:]]

    async def test_a_model_that_answers_passes_its_check(self, model):
        """check returns and raises nothing, before and after real work."""
        await model.check()
        await model.generate(_prompts(4)[0], max_tokens=2)
        await model.check()

    async def test_closing_twice_is_no_error(self, model):
        """The fixture closes once more."""
        await model.close()
        await model.close()
