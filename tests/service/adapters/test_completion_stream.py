"""The lines of a streamed completion."""

import json

import pytest

from service.adapters.completion_stream import CompletionStream
from service.errors import LanguageModelUnavailable


def _line(text: str, token_ids: list[int] | None = None, reason: str | None = None) -> str:
    return "data: " + json.dumps({"choices": [{"text": text, "token_ids": token_ids, "finish_reason": reason}]})


def test_lines_make_up_the_answer():
    """Texts and ids in order, the reason it ended, blank lines and comments passed over, times from the last chunk."""
    stream = CompletionStream()
    usage = {"choices": [], "usage": {}, "metrics": {"queue_time_ms": 2, "time_to_first_token_ms": 30.5}}
    lines = [
        ": hello",
        "",
        _line("You ", [5]),
        "",
        _line("like", [6, 7], "stop"),
        f"data: {json.dumps(usage)}",
        "data: [DONE]",
    ]
    assert [stream.take(line) for line in lines] == ["", "", "You ", "", "like", "", ""]
    assert stream.choice == {"text": "You like", "token_ids": [5, 6, 7], "finish_reason": "stop"}
    assert stream.times is not None
    assert (stream.times.queue_s, stream.times.first_token_s, stream.times.decode_s) == (0.002, 0.0305, 0.0)


def test_an_answer_without_its_end_is_none():
    """A connection cut in the middle must not pass for a short answer."""
    stream = CompletionStream()
    stream.take(_line("You", [5], "length"))
    with pytest.raises(LanguageModelUnavailable, match="broke off"):
        _ = stream.choice


@pytest.mark.parametrize("data", ["{", "[]", "7", "{}", '{"choices": [7]}', '{"choices": [{}]}', '{"error": "x"}'])
def test_other_forms_are_told(data):
    """HTML, other JSON, an error in the middle of the stream."""
    with pytest.raises(LanguageModelUnavailable, match="form"):
        CompletionStream().take(f"data: {data}")
