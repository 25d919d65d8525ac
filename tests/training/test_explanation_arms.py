"""Swap margins with a reader whose likelihood is known: it asks only whether the tokens have the text's colour."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model_store.prompt import open_tokenizer
from model_store.soft_tokens import SoftTokenTable
from model_store.types import BehaviorTokens
from tests.artifacts import HIDDEN_SIZE
from tests.training.workshops import CODEBOOK_SIZE, CONFIG, NAMES, ToyWorkshop, toy_workshop
from training.data import DataError
from training.explanation_arms import bootstrap, explanation_arms, looked_up, swapped
from training.frozen_language_model import FrozenLanguageModel, PromptedText


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


class ColourReader(FrozenLanguageModel):
    """NLL 1 plus 1 for the user's and 2 for the item's tokens where they are not of the text's colour."""

    def __init__(self, toy: ToyWorkshop) -> None:
        self._tokenizer = open_tokenizer(toy.workshop.language_model.folder)
        self.batch_sizes: list[int] = []

    def nll(self, texts: Sequence[PromptedText], soft: dict[str, Tensor]) -> Tensor:
        self.batch_sizes.append(len(texts))
        wanted = torch.tensor([self._colour(text) for text in texts])
        user, item = (soft[slot][:, 0, 0] != wanted for slot in ("user", "item"))
        return 1 + user.float() + 2 * item.float()

    def _colour(self, text: PromptedText) -> float:
        told = self._tokenizer.decode(text.target_ids.tolist())
        return float(next(code for code, name in enumerate(NAMES) if f"like {name}" in told))


def colour_table() -> SoftTokenTable:
    """A macro code's soft token holds the code itself."""
    side = np.zeros((6, CODEBOOK_SIZE, HIDDEN_SIZE), np.float32)
    side[0] = np.arange(CODEBOOK_SIZE)[:, None]
    return SoftTokenTable(np.zeros((CONFIG.num_style, HIDDEN_SIZE), np.float32), side, side)


def arms(toy: ToyWorkshop, table: SoftTokenTable, model: FrozenLanguageModel, **options):
    rows, prompts, pairs = toy.data.split.train_explanations, toy.workshop.prompts, toy.workshop.pairs
    return explanation_arms(table, model, prompts, pairs, rows, bootstrap_samples=200, seed=0, **options)


def test_the_margin_is_the_share_of_swaps_that_changed_the_colour(toy):
    """True tokens cost nothing; a swap costs exactly as often as its partner has the other colour, in both prompts."""
    counted: list[int] = []
    reader = ColourReader(toy)
    report = arms(toy, colour_table(), reader, on_rows=counted.append)
    rows, explanations = toy.data.split.train_explanations, toy.workshop.pairs.explanations
    users, items = swapped(rows, explanations.users, 0), swapped(rows, explanations.items, 1)
    own = toy.tokenizer.user_codes[explanations.users[rows], 0]
    user_cost = float((toy.tokenizer.user_codes[explanations.users[users], 0] != own).mean())
    item_cost = 2 * float((toy.tokenizer.item_codes[explanations.items[items], 0] != own).mean())
    assert report["rows"] == len(rows)
    assert user_cost > 0
    assert item_cost > 0
    for prompt in ("tokens_only", "as_served"):
        margins = {swap: interval["mean"] for swap, interval in report[prompt]["swap_margin"].items()}
        assert margins == pytest.approx({"user": user_cost, "item": item_cost, "both": user_cost + item_cost})
        assert report[prompt]["nll"]["true"] == 1
        assert report[prompt]["nll"]["user"] == pytest.approx(1 + user_cost)
    assert sum(counted) == 8 * len(rows)
    assert max(reader.batch_sizes) <= 16


def test_tokens_that_tell_nothing_have_no_margin(toy):
    """With one soft token for all codes a real LLM finds every swap equally likely: margins are exactly 0."""
    same = np.full((6, CODEBOOK_SIZE, HIDDEN_SIZE), 0.1, np.float32)
    table = SoftTokenTable(np.zeros((CONFIG.num_style, HIDDEN_SIZE), np.float32), same, same)
    report = arms(toy, table, toy.workshop.open_model("float32"))
    for prompt in ("tokens_only", "as_served"):
        for interval in report[prompt]["swap_margin"].values():
            assert interval == {"mean": 0, "low": 0, "high": 0}
    assert report["as_served"]["nll"]["true"] != report["tokens_only"]["nll"]["true"]


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


def test_the_bootstrap_interval_covers_the_mean():
    """Its middle is the mean, its width that of the normal approximation; constant values have no width."""
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    interval = bootstrap(values, samples=2000, seed=0)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low < interval.mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    constant = bootstrap(np.full(5, 3.0), samples=10, seed=0)
    assert (constant.mean, constant.low, constant.high) == (3, 3, 3)


def test_soft_tokens_are_looked_up_as_the_service_does():
    """A batch of codes gets, row for row, what SoftTokenTable.lookup gives."""
    rng = np.random.default_rng(0)
    user, item = (rng.normal(size=(6, CODEBOOK_SIZE, HIDDEN_SIZE)).astype(np.float32) for _ in range(2))
    table = SoftTokenTable(rng.normal(size=(2, HIDDEN_SIZE)).astype(np.float32), user, item)
    codes = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 3, 3, 3, 3, 3]])
    soft = looked_up(table, codes, codes.flip(0))
    for row in range(2):
        own, other = (BehaviorTokens.from_codes(codes[each].tolist()) for each in (row, 1 - row))
        np.testing.assert_array_equal(soft["user"][row].numpy(), table.lookup("user", own))
        np.testing.assert_array_equal(soft["item"][row].numpy(), table.lookup("item", other))
        np.testing.assert_array_equal(soft["style"][row].numpy(), table.style)
