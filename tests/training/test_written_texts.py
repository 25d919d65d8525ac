"""Texts beside the references: what others wrote, and what needs no LLM."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.workshops import ToyWorkshop, toy_source, toy_workshop
from training.config import EvaluationConfig
from training.explanation_arms import Case
from training.written_texts import floor_texts, peer_texts, text_arms


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The toy's explanations, every second of them with a peer's text."""
    toy: ToyWorkshop = toy_workshop(Path(tmp_path_factory.mktemp("toy")))
    rows, config = toy.data.split.train_explanations, EvaluationConfig()
    source = toy_source(toy)
    explanations = toy.workshop.prompts.explanations
    told = tuple(f"peer {row}" if row % 2 else "" for row in range(len(explanations)))
    extra = {"xrec_prediction": told, "none_prediction": ("",) * len(told), "title": told}
    prompts = replace(toy.workshop.prompts, explanations=replace(explanations, extra=extra))
    return Case(prompts, source, {}, rows, config, 0)


def test_peers_speak_where_they_have_spoken(case):
    """A row without a text is None; a column without any text for these rows, or of another kind, is no peer."""
    found = peer_texts(case, case.positions[:6])
    assert list(found) == ["xrec_prediction"]
    wanted = [f"peer {position}" if position % 2 else None for position in case.positions[:6].tolist()]
    assert found["xrec_prediction"] == wanted


def test_floors_speak_of_other_items_or_only_of_the_catalogue(case):
    """The other reference is that of another item; the template holds the item's own title and text."""
    floors, explanations = floor_texts(case, case.positions), case.prompts.explanations
    for at, position in enumerate(case.positions.tolist()):
        item = case.prompts.known.item_of(int(explanations.items[position]))
        assert floors["reference"][at] == explanations.texts[position]
        assert item.title in floors["template"][at]
        assert item.about in floors["template"][at]
    assert set(floors["other_reference"]) <= set(floors["reference"])


def test_random_swaps_are_not_written(case):
    """Texts are written for what people compare; each arm once."""
    names = [arm.name for arm in text_arms(replace(case, controls={"random": case.own}))]
    assert "random" in names
    assert not [name for name in names if name.startswith("random_")]
    assert len(set(names)) == len(names)
