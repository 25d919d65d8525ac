"""Questions about many prompts, beside the rows that are written: in turn, given up, failing alone."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from model_store.prompt import open_tokenizer
from service.adapters.decoder import Decoder, FirstLogits
from service.adapters.decoding_worker import DecodingWorker
from service.adapters.judgement import Judgement
from service.adapters.prompt_row import PromptRow
from service.errors import LanguageModelUnavailable, Overloaded
from service.telemetry import Telemetry
from tests.artifacts import HIDDEN_SIZE, tiny_language_model


class _HeldDecoder(Decoder):
    """Judges only once it is let, and with numbers of its own; where `fault` is set, not at all."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.let, self.judged = threading.Event(), list[int]()
        self.fault: Exception | None = None
        self.logit = 0.0

    def first_logits(self, prompts, **_) -> Iterator[FirstLogits]:
        self.judged.append(len(prompts))
        self.let.wait(60)
        if self.fault is not None:
            raise self.fault
        yield FirstLogits(list(range(len(prompts))), torch.full((len(prompts), 90), self.logit))


class _HeldWorker(DecodingWorker):
    decoder: _HeldDecoder


@pytest.fixture
def worker(tmp_path) -> Iterator[_HeldWorker]:
    """One slot, four may wait; its decoder holds judgements back."""
    tiny_language_model(tmp_path)
    made = _HeldWorker(
        lambda: _HeldDecoder.open(tmp_path, dtype=torch.float32, slots=1, capacity=256),
        tokenizer=open_tokenizer(tmp_path),
        eos_token_ids=(),
        max_waiting=4,
        telemetry=Telemetry(),
    )
    yield made
    made.decoder.let.set()
    made.close()


def _judgement(prompts: int) -> Judgement:
    answer = asyncio.get_running_loop().create_future()
    return Judgement([np.ones((3, HIDDEN_SIZE), np.float32)] * prompts, [65, 66], answer)


def _row(max_tokens: int) -> PromptRow:
    prompt = np.ones((3, HIDDEN_SIZE), np.float32)
    return PromptRow(prompt, max_tokens, 0.0, None, asyncio.get_running_loop().create_future())


async def _begun(worker: _HeldWorker) -> None:
    """The worker reads the first question now, and takes no other."""
    while not worker.decoder.judged:
        await asyncio.sleep(0.005)


async def test_those_who_left_are_not_judged_and_hold_no_place(worker):
    """Behind a question under way another waits and fills the queue; its caller leaves, and the next is taken."""
    under_way, left, next_one = _judgement(2), _judgement(4), _judgement(3)
    worker.judge(under_way)
    await _begun(worker)
    worker.judge(left)
    with pytest.raises(Overloaded):
        worker.judge(next_one)
    left.answer.cancel()
    worker.judge(next_one)
    worker.decoder.let.set()
    assert (await under_way.answer).shape == (2, 2)
    assert (await next_one.answer).shape == (3, 2)
    assert worker.decoder.judged == [2, 3]


async def test_a_question_that_fails_fails_alone(worker):
    """The model has no memory for it: it is told so, while a row is written to its end and others are judged."""
    failing, row = _judgement(2), _row(max_tokens=9)
    worker.decoder.fault = RuntimeError("no memory")
    worker.submit([row])
    worker.judge(failing)
    worker.decoder.let.set()
    with pytest.raises(LanguageModelUnavailable, match="RuntimeError"):
        await failing.answer
    assert (await row.answer).completion_tokens == 9
    worker.decoder.fault = None
    worker.judge(after := _judgement(1))
    assert await after.answer == pytest.approx(-np.log(90))


async def test_numbers_that_are_none_are_told_as_such(worker):
    """Logits of NaN judge nobody."""
    worker.decoder.logit = float("nan")
    worker.decoder.let.set()
    worker.judge(asked := _judgement(2))
    with pytest.raises(LanguageModelUnavailable, match="not finite"):
        await asked.answer


async def test_closing_answers_those_who_wait_to_be_judged(worker):
    """The question under way is answered or given up, the one behind it given up."""
    under_way, waiting = _judgement(1), _judgement(1)
    worker.judge(under_way)
    await _begun(worker)
    worker.judge(waiting)
    closing = asyncio.create_task(asyncio.to_thread(worker.close))
    while worker.lives and not worker._closing:
        await asyncio.sleep(0.005)
    worker.decoder.let.set()
    await closing
    assert (await under_way.answer).shape == (1, 2)
    with pytest.raises(LanguageModelUnavailable, match="closed"):
        await waiting.answer
