"""Prompts as the service asks them."""

import numpy as np

from model_store.store import ModelStore
from model_store.types import BehaviorTokens
from service.explanation import Evidence
from service.prompt_maker import PromptMaker
from service.types import LabelledTokens


def test_all_prompts_begin_with_what_is_told_in_advance(store):
    """Up to the user's own tokens: instructions and style; what comes next differs between two pairs."""
    artifact = ModelStore(store).load()
    maker = PromptMaker.of(artifact)
    prompts = []
    for row in (0, 1):
        user, item = (BehaviorTokens.from_codes(codes[row]) for codes in (artifact.user_codes, artifact.item_codes))
        evidence = Evidence(LabelledTokens(user, ()), LabelledTokens(item, ()), (), ())
        prompts.append(maker.embeds(artifact.catalog.item(row), evidence))
    length = len(maker.beginning)
    assert length > len(artifact.soft_tokens.style)
    for prompt in prompts:
        np.testing.assert_array_equal(prompt[:length], maker.beginning)
    first, second = (prompt[length : length + artifact.soft_tokens.num_soft] for prompt in prompts)
    assert not np.array_equal(first, second)
