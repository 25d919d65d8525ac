"""Log-probabilities of asked tokens as the first of an answer, out of what vLLM's completions tell."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.adapters.completion_stream import UNKNOWN_FORM
from service.errors import LanguageModelUnavailable

MAX_LOGPROBS: Final = 20
"""Most probable tokens that a server tells unless started with another --max-logprobs."""


def asked_for(token_ids: Sequence[int]) -> dict[str, object]:
    """What the body of a completion must say besides the prompts.

    A server that does not know `logprob_token_ids` ignores it and tells the most probable tokens.
    """
    return {"logprobs": MAX_LOGPROBS, "logprob_token_ids": list(token_ids), "return_tokens_as_token_ids": True}


def logprobs_of(choice: dict[str, Any], token_ids: Sequence[int]) -> NDArray[np.float32]:
    """Each token's log-probability as the first of this answer. Shapes: -> (len(token_ids),).

    A token that was not told gets the lowest log-probability that was: the truth is that or lower.
    Raises LanguageModelUnavailable for an answer of another form, or with numbers that are none.
    """
    try:
        told = {name: float(value) for name, value in choice["logprobs"]["top_logprobs"][0].items()}
        floor = min(told.values())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise LanguageModelUnavailable(UNKNOWN_FORM) from error
    if not all(map(math.isfinite, told.values())):
        raise LanguageModelUnavailable("it computed values that are not finite")
    return np.array([told.get(f"token_id:{token_id}", floor) for token_id in token_ids], np.float32)
