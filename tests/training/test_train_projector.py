"""Projector training on the checkerboard's explanations: rates, batches, resuming, and a frozen LLM."""

from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.training.workshops import CONFIG, ToyWorkshop, toy_workshop
from training.config import ProjectorConfig
from training.frozen_language_model import FrozenLanguageModel
from training.projector import Projector
from training.token_stages import new_projector, projector_start
from training.train_projector import CHECKPOINT, CodedPairs, Step, batches, rate, train_projector


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def model(toy: ToyWorkshop) -> FrozenLanguageModel:
    return toy.workshop.open_model("float32")


class Cut(Exception):
    """The power fails."""


def fresh(toy: ToyWorkshop, config: ProjectorConfig = CONFIG) -> Projector:
    start = projector_start(toy.workshop, toy.tokenizer, toy.data.split.train_explanations, config)
    return new_projector(toy.workshop, start, config, seed=0)


def train(
    toy: ToyWorkshop, model: FrozenLanguageModel, projector: Projector, folder: Path, config: ProjectorConfig = CONFIG,
    **options: Any,
) -> list[Step]:  # fmt: skip
    rows = toy.data.split.train_explanations
    prompts, pairs = toy.workshop.prompts, toy.workshop.pairs
    return train_projector(projector, model, prompts, pairs, rows, config, 0, checkpoints=folder, **options)


@pytest.mark.parametrize("max_steps", [2, 60, 300])
def test_the_rate_warms_up_and_ends_at_zero(max_steps):
    """It rises to 1 within the first twentieth, never rises again and ends at 0."""
    config = replace(CONFIG, max_steps=max_steps)
    rates = [rate(number, config) for number in range(1, max_steps + 1)]
    top = rates.index(max(rates))
    assert max(rates) == 1
    assert top + 1 == max(1, max_steps // 20)
    assert all(later > earlier for earlier, later in pairwise(rates[: top + 1]))
    assert all(later < earlier for earlier, later in pairwise(rates[top:]))
    assert rates[-1] == pytest.approx(0)
    if max_steps == 300:
        assert rates[0] == pytest.approx(1 / 15)


def test_each_pass_meets_every_row_once():
    """Six rows in batches of four: every six indices in a row are all rows, in another order each time."""
    order = np.concatenate(batches(6, replace(CONFIG, max_steps=9, batch_size=4), seed=0))
    passes = order.reshape(6, 6)
    assert all(sorted(each) == list(range(6)) for each in passes.tolist())
    assert len({tuple(each) for each in passes.tolist()}) > 1
    assert not np.array_equal(order, np.concatenate(batches(6, replace(CONFIG, max_steps=9, batch_size=4), seed=1)))


def test_fewer_rows_than_a_batch_are_met_again():
    """Three rows fill batches of eight."""
    found = batches(3, replace(CONFIG, max_steps=2, batch_size=8), seed=0)
    assert [len(batch) for batch in found] == [8, 8]


def test_codes_are_those_of_the_pair(toy):
    """The user's and the item's codes of each explanation, with macro code = colour on both sides."""
    users, items = toy.workshop.pairs.at([2, 0, 5])
    explanations = toy.workshop.pairs.explanations
    for row, position in enumerate((2, 0, 5)):
        user, item = explanations.users[position], explanations.items[position]
        assert users[row].tolist() == toy.tokenizer.user_codes[user].tolist()
        assert items[row].tolist() == toy.tokenizer.item_codes[item].tolist()
    assert torch.equal(users[:, 0], items[:, 0])


def test_training_makes_the_references_likelier(toy, model, tmp_path):
    """Thirty steps lower the NLL of the explanations trained on, without their titles."""
    config = replace(CONFIG, max_steps=30, batch_size=8, title_dropout=1.0)
    projector, rows = fresh(toy), toy.data.split.train_explanations[:16]
    texts = [toy.workshop.prompts.of(int(position), tokens_only=True) for position in rows]

    def nll() -> float:
        with torch.no_grad():
            return float(model.nll(texts, projector.soft_tokens(*toy.workshop.pairs.at(rows))).mean())

    before = nll()
    steps = train(toy, model, projector, tmp_path, config)
    assert nll() < before - 0.05
    assert [step.number for step in steps] == list(range(1, 31))
    assert all(np.isfinite([step.nll, step.alignment]).all() for step in steps)


def test_the_language_model_stays_as_it_was(toy, tmp_path):
    """The hash over all its weights is the same before and after; the projector's moved."""
    theirs = AutoModelForCausalLM.from_pretrained(toy.workshop.language_model.folder, dtype=torch.float32)
    projector, before = fresh(toy), digest(theirs)
    train(toy, FrozenLanguageModel(theirs), projector, tmp_path)
    assert digest(theirs) == before
    assert not torch.equal(projector.style, fresh(toy).style)
    assert not np.array_equal(projector.table().user, fresh(toy).table().user)


def digest(model: Any) -> str:
    return sha256(b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())).hexdigest()


@pytest.mark.parametrize("anchored", [True, False])
def test_a_resumed_training_equals_an_uninterrupted_one(toy, model, tmp_path, anchored):
    """Cut off in step 5, gone on from the checkpoint of step 4: the same losses and the same table, bit for bit."""
    config = replace(CONFIG, anchored=anchored)
    (tmp_path / "cut").mkdir()
    (tmp_path / "whole").mkdir()
    whole = fresh(toy, config)
    expected = train(toy, model, whole, tmp_path / "whole", config)

    def cut(step: Step) -> None:
        if step.number == 5:
            raise Cut

    with pytest.raises(Cut):
        train(toy, model, fresh(toy, config), tmp_path / "cut", config, on_step=cut)
    heard: list[int] = []
    resumed = fresh(toy, config)
    steps = train(toy, model, resumed, tmp_path / "cut", config, on_step=lambda step: heard.append(step.number))
    assert heard == [5, 6]
    assert [(s.number, s.nll, s.alignment) for s in steps] == [(s.number, s.nll, s.alignment) for s in expected]
    for name, tensor in whole.table().to_tensors().items():
        np.testing.assert_array_equal(resumed.table().to_tensors()[name], tensor)


def test_a_finished_training_only_reads_its_checkpoint(toy, model, tmp_path):
    """All steps are behind it: no further one is made."""
    train(toy, model, fresh(toy), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    heard: list[Step] = []
    assert len(train(toy, model, fresh(toy), tmp_path, on_step=heard.append)) == CONFIG.max_steps
    assert heard == []


def test_alignment_can_be_left_out(toy, model, tmp_path):
    """With weight 0 it is neither computed nor learnt from."""
    steps = train(toy, model, fresh(toy), tmp_path, replace(CONFIG, alignment_weight=0.0))
    assert {step.alignment for step in steps} == {0}


def test_pairs_take_rows_of_any_integer_kind(toy):
    """Positions come as a list or as an array; codes are int64, fit to index with."""
    pairs: CodedPairs = toy.workshop.pairs
    assert torch.equal(pairs.at([1, 0])[0], pairs.at(np.array([1, 0]))[0])
    assert pairs.at([0])[1].dtype == torch.int64


def test_a_damaged_checkpoint_starts_over(toy, model, tmp_path):
    """Half a file, as a full disk leaves it: the run begins anew instead of stopping."""
    steps = train(toy, model, fresh(toy, CONFIG), tmp_path, CONFIG)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-7])
    again = train(toy, model, fresh(toy, CONFIG), tmp_path, CONFIG)
    assert [step.number for step in again] == [step.number for step in steps]
