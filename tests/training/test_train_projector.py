"""Projector training on the checkerboard's explanations: rates, batches, resuming, and a frozen LLM."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.training.workshops import CONFIG, ToyWorkshop, toy_projector, toy_workshop
from training.config import ProjectorConfig
from training.frozen_language_model import NOTHING_BEGUN, Beginning, FrozenLanguageModel
from training.projector import Projector
from training.prompted import AS_SERVED, TITLED, TOKENS_ONLY
from training.train_projector import (
    CHECKPOINT,
    LARGEST_BUCKET,
    CodedPairs,
    Step,
    batches,
    buckets,
    drawn,
    rate,
    train_projector,
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def model(toy: ToyWorkshop) -> FrozenLanguageModel:
    return toy.workshop.open_model("float32")


class Cut(Exception):
    """The power fails."""


@pytest.fixture(scope="module")
def fresh(toy: ToyWorkshop) -> Callable[[], Projector]:
    """Makes an untrained projector."""
    return lambda: toy_projector(toy)


@pytest.fixture(scope="module")
def train(toy: ToyWorkshop, model: FrozenLanguageModel) -> Callable[..., list[Step]]:
    """Trains a projector on the toy's explanations."""
    rows, prompts, pairs = toy.data.split.train_explanations, toy.workshop.prompts, toy.workshop.pairs

    def trained(
        projector: Projector, folder: Path, config: ProjectorConfig = CONFIG, *, by: FrozenLanguageModel = model,
        **options: Any,
    ) -> list[Step]:  # fmt: skip
        return train_projector(projector, by, prompts, pairs, rows, config, 0, checkpoints=folder, **options)

    return trained


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


@pytest.mark.parametrize("count", [1, 3, 4, 6, 8, 9])
def test_buckets_hold_every_row_once_shortest_first(count):
    """No bucket is above the bound or much smaller than another, and no text is longer than one of a later bucket."""
    lengths = np.random.default_rng(count).integers(5, 90, count).tolist()
    found = buckets(lengths)
    assert sorted(np.concatenate(found).tolist()) == list(range(count))
    sizes = [len(rows) for rows in found]
    assert max(sizes) <= LARGEST_BUCKET
    assert max(sizes) - min(sizes) <= 1
    assert all(max(lengths[a] for a in rows) <= min(lengths[b] for b in later) for rows, later in pairwise(found))


def test_prompts_show_the_title_and_the_text_as_often_as_asked(toy):
    """Half with tokens only; of the others two fifths with the title alone."""
    rng = np.random.default_rng(0)
    shown = [drawn(rng, ProjectorConfig()) for _ in range(4000)]
    shares = [shown.count(form) / 4000 for form in (TOKENS_ONLY, TITLED, AS_SERVED)]
    np.testing.assert_allclose(shares, [0.5, 0.2, 0.3], atol=0.03)


def test_neither_buckets_nor_what_is_read_once_change_a_gradient(toy, model, fresh):
    """A step over eight texts in two buckets behind one beginning moves the projector as one pass over all would."""
    rows = toy.data.split.train_explanations[:8]
    texts = [toy.workshop.prompts.showing(int(row), (AS_SERVED, TOKENS_ONLY, TITLED)[row % 3]) for row in rows]

    def gradients(parts: list[np.ndarray], begin: Callable[[Projector], Beginning]) -> list[torch.Tensor]:
        projector = fresh()
        begun = begin(projector)
        for part in parts:
            soft = projector.soft_tokens(*toy.workshop.pairs.at(rows[part]))
            (model.nll([texts[row] for row in part], soft, begun).sum() / len(rows)).backward()
        begun.backward()
        return [p.grad for p in projector.parameters() if p.grad is not None]

    parted = gradients(
        buckets([len(text) for text in texts]), lambda learner: model.begin(texts, {"style": learner.style_tokens(1)})
    )
    whole = gradients([np.arange(8)], lambda learner: NOTHING_BEGUN)
    assert len(parted) == len(whole) > 0
    for one, other in zip(parted, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_codes_are_those_of_the_pair(toy):
    """The user's and the item's codes of each explanation, with macro code = colour on both sides."""
    users, items = toy.workshop.pairs.at([2, 0, 5])
    explanations = toy.workshop.pairs.explanations
    for row, position in enumerate((2, 0, 5)):
        user, item = explanations.users[position], explanations.items[position]
        assert users[row].tolist() == toy.tokenizer.user_codes[user].tolist()
        assert items[row].tolist() == toy.tokenizer.item_codes[item].tolist()
    assert torch.equal(users[:, 0], items[:, 0])


def test_training_makes_the_references_likelier(toy, model, fresh, train, tmp_path):
    """Thirty steps lower the NLL of the explanations trained on, without their titles."""
    config = replace(CONFIG, max_steps=30, batch_size=8, title_dropout=1.0)
    projector, rows = fresh(), toy.data.split.train_explanations[:16]
    texts = [toy.workshop.prompts.showing(int(position), TOKENS_ONLY) for position in rows]

    def nll() -> float:
        soft = projector.soft_tokens(*toy.workshop.pairs.at(rows))
        with torch.no_grad():
            return float(model.nll(texts, soft).mean())

    before = nll()
    steps = train(projector, tmp_path, config)
    assert nll() < before - 0.05
    assert [step.number for step in steps] == list(range(1, 31))
    assert all(np.isfinite([step.nll, step.alignment]).all() for step in steps)


def test_the_language_model_stays_as_it_was(toy, fresh, train, tmp_path):
    """The hash over all its weights is the same before and after; the projector moved."""
    theirs = AutoModelForCausalLM.from_pretrained(toy.workshop.language_model.folder, dtype=torch.float32)
    projector, before = fresh(), digest(theirs)
    train(projector, tmp_path, by=FrozenLanguageModel(theirs))
    assert digest(theirs) == before
    assert not torch.equal(projector.style, fresh().style)
    assert not torch.equal(projector.user.outer.weight, fresh().user.outer.weight)


def digest(model: Any) -> str:
    return sha256(b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())).hexdigest()


def test_a_resumed_training_equals_an_uninterrupted_one(fresh, train, tmp_path):
    """Cut off in step 5, gone on from the checkpoint of step 4: the same losses and the same table, bit for bit."""
    (tmp_path / "cut").mkdir()
    (tmp_path / "whole").mkdir()
    whole = fresh()
    expected = train(whole, tmp_path / "whole")

    def cut(step: Step) -> None:
        if step.number == 5:
            raise Cut

    with pytest.raises(Cut):
        train(fresh(), tmp_path / "cut", on_step=cut)
    heard: list[int] = []
    resumed = fresh()
    steps = train(resumed, tmp_path / "cut", on_step=lambda step: heard.append(step.number))
    assert heard == [5, 6]
    assert [(s.number, s.nll, s.alignment) for s in steps] == [(s.number, s.nll, s.alignment) for s in expected]
    for name, tensor in whole.exported().to_tensors().items():
        np.testing.assert_array_equal(resumed.exported().to_tensors()[name], tensor)


def test_a_finished_training_only_reads_its_checkpoint(fresh, train, tmp_path):
    """All steps are behind it: no further one is made."""
    train(fresh(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    heard: list[Step] = []
    assert len(train(fresh(), tmp_path, on_step=heard.append)) == CONFIG.max_steps
    assert heard == []


def test_alignment_can_be_left_out(fresh, train, tmp_path):
    """With weight 0 it is neither computed nor learnt from."""
    steps = train(fresh(), tmp_path, replace(CONFIG, alignment_weight=0.0))
    assert {step.alignment for step in steps} == {0}


def test_pairs_take_rows_of_any_integer_kind(toy):
    """Positions come as a list or as an array; codes are int64, fit to index with."""
    pairs: CodedPairs = toy.workshop.pairs
    assert torch.equal(pairs.at([1, 0])[0], pairs.at(np.array([1, 0]))[0])
    assert pairs.at([0])[1].dtype == torch.int64


def test_a_damaged_checkpoint_starts_over(fresh, train, tmp_path):
    """Half a file, as a full disk leaves it: the run begins anew instead of stopping."""
    steps = train(fresh(), tmp_path, CONFIG)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-7])
    again = train(fresh(), tmp_path, CONFIG)
    assert [step.number for step in again] == [step.number for step in steps]
