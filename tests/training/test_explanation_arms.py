"""Swap margins with a reader whose likelihood is known: it asks only whether the tokens have the text's colour."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model_store.prompt import open_tokenizer
from model_store.types import Item
from tests.training.workshops import CONFIG, NAMES, ColourSource, ToyWorkshop, style_length, toy_workshop
from training.config import EvaluationConfig
from training.data import DataError
from training.explanation_arms import FORMS, Case, arms_of, nll_of_arms, swapped
from training.frozen_language_model import NOTHING_BEGUN, Beginning, FrozenLanguageModel, PromptedText
from training.token_source import TokenSource


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


class ColourReader(FrozenLanguageModel):
    """NLL 1 plus 1 for the user's and 2 for the item's tokens where they are not of the text's colour."""

    def __init__(self, toy: ToyWorkshop) -> None:
        self._tokenizer = open_tokenizer(toy.workshop.language_model.folder)
        self.batch_sizes: list[int] = []

    def begin(self, texts: Sequence[PromptedText], soft: dict[str, Tensor]) -> Beginning:
        return NOTHING_BEGUN

    def nll(self, texts: Sequence[PromptedText], soft: dict[str, Tensor], begun: Beginning | None = None) -> Tensor:
        self.batch_sizes.append(len(texts))
        wanted = torch.tensor([self._colour(text) for text in texts])
        user, item = (soft[slot][:, 0, 0] != wanted for slot in ("user", "item"))
        return 1 + user.float() + 2 * item.float()

    def _colour(self, text: PromptedText) -> float:
        told = self._tokenizer.decode(text.target_ids.tolist())
        return float(next(code for code, name in enumerate(NAMES) if f"like {name}" in told))


def case(toy: ToyWorkshop, own: TokenSource, controls=None) -> Case:
    rows = toy.data.split.train_explanations
    return Case(toy.workshop.prompts, own, controls or {}, rows, EvaluationConfig(), seed=0)


def test_a_swap_costs_as_often_as_the_partner_has_the_other_colour(toy):
    """True tokens cost nothing; each swap costs what the colours of its partners say, in every prompt."""
    counted: list[int] = []
    reader = ColourReader(toy)
    nll = nll_of_arms(case(toy, ColourSource(toy)), reader, counted.append)
    rows, explanations = toy.data.split.train_explanations, toy.workshop.pairs.explanations
    users, items = swapped(rows, explanations.users, 0), swapped(rows, explanations.items, 1)
    own = toy.tokenizer.user_codes[explanations.users[rows], 0]
    user_cost = toy.tokenizer.user_codes[explanations.users[users], 0] != own
    item_cost = 2 * (toy.tokenizer.item_codes[explanations.items[items], 0] != own)
    assert user_cost.any()
    assert item_cost.any()
    for form in FORMS:
        assert (nll[form]["true"] == 1).all()
        np.testing.assert_array_equal(nll[form]["user"], 1 + user_cost)
        np.testing.assert_array_equal(nll[form]["item"], 1 + item_cost)
        np.testing.assert_array_equal(nll[form]["both"], 1 + user_cost + item_cost)
    assert sum(counted) == sum(len(arms) for arms in nll.values()) * len(rows)
    assert max(reader.batch_sizes) <= 16


def test_tokens_that_tell_nothing_have_no_margin(toy):
    """With the same soft tokens for all codes a real LLM finds every swap equally likely; titles it does read."""
    nll = nll_of_arms(case(toy, ColourSource(toy, always=1)), toy.workshop.open_model("float32"))
    for form in FORMS:
        for swap in ("user", "item", "both"):
            np.testing.assert_array_equal(nll[form][swap], nll[form]["true"])
    assert (nll["titled"]["true"] != nll["tokens_only"]["true"]).any()


def test_controls_speak_with_their_own_tokens(toy):
    """A control that says red of every node costs just where the text is blue; swaps of it cost nothing."""
    red = ColourSource(toy, always=0)
    nll = nll_of_arms(case(toy, ColourSource(toy), {"identity_free": red, "random": red}), ColourReader(toy))
    rows, explanations = toy.data.split.train_explanations, toy.workshop.pairs.explanations
    blue = toy.tokenizer.user_codes[explanations.users[rows], 0] == 1
    for form in ("tokens_only", "titled"):
        np.testing.assert_array_equal(nll[form]["identity_free"], 1 + 3.0 * blue)
        np.testing.assert_array_equal(nll[form]["random_item"], nll[form]["random"])
        np.testing.assert_array_equal(nll[form]["profile"], nll[form]["identity_free"])
        assert (nll[form]["profile_tokens"] == 1).all()
    assert "profile" not in nll["as_served"]


def test_profile_arms_tell_the_whole_text_and_no_tokens_leaves_the_slots_out(toy):
    """What the prompt of each arm holds, read back from its token ids."""
    tokenizer = open_tokenizer(toy.workshop.language_model.folder)
    arms = {arm.name: arm for arm in arms_of("tokens_only", {})}
    long = Item(1, "A title", "word " * 200 + "end.")
    prompts = toy.workshop.prompts
    prompts = replace(prompts, known=replace(prompts.known, item_of=lambda row: long))
    texts = {name: arm.texts(prompts, np.array([0]))[0].prompt for name, arm in arms.items()}
    assert "end." in tokenizer.decode(texts["profile"].token_ids.tolist())
    assert "A title" not in tokenizer.decode(texts["profile"].token_ids.tolist())
    assert set(texts["profile"].slots) == {"style", "user", "item"}
    assert texts["none"].slots == {}
    assert len(texts["none"].token_ids) == len(texts["true"].token_ids) - style_length(toy) - 2 * CONFIG.num_soft


def test_a_swap_gives_another_id_out_of_the_same_rows():
    """Never the own id, always a row among the given, even where one id has nine rows of ten; seeded."""
    ids = np.array([7] * 9 + [3] + [1] * 5)
    rows = np.arange(10)
    partners = swapped(rows, ids, seed=0)
    assert (ids[partners] != ids[rows]).all()
    assert set(partners) <= set(rows)
    np.testing.assert_array_equal(partners, swapped(rows, ids, seed=0))


def test_rows_of_one_id_cannot_be_swapped():
    """One row, or several of the same user, have no partner: that is an error and no endless search."""
    for rows in ([4], [0, 1, 2], []):
        with pytest.raises(DataError, match="nothing to swap with"):
            swapped(np.array(rows, np.int64), np.array([5, 5, 5, 6, 6]), seed=0)
