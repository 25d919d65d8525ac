"""What is read of vLLM's log-probabilities."""

import math

import pytest

from service.adapters.first_token import logprobs_of
from service.errors import LanguageModelUnavailable


def _choice(top: object) -> dict[str, object]:
    return {"logprobs": {"top_logprobs": [top]}}


def test_told_tokens_are_taken_and_others_get_the_lowest_told():
    """No more is known of them than that they are not above it."""
    choice = _choice({"token_id:7": -0.5, "token_id:9": -1.25, "token_id:3": -4})
    assert logprobs_of(choice, [9, 7, 8]).tolist() == [-1.25, -0.5, -4]


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"top_logprobs": []}},
        {"logprobs": {"top_logprobs": [None]}},
        _choice({}),
        _choice({"token_id:7": "x"}),
        _choice({"token_id:7": math.nan}),
        _choice({"token_id:7": -math.inf}),
    ],
)
def test_other_forms_and_numbers_that_are_none_are_an_ill_server(choice):
    """A poisoned engine computes NaN."""
    with pytest.raises(LanguageModelUnavailable):
        logprobs_of(choice, [7])
