"""The evaluation of explanations as a stage: a sample is judged, texts are written, and what was made is kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.encoders import tiny_sentence_encoder
from tests.training.workshops import CONFIG, ToyWorkshop, toy_source, toy_workshop
from training.config import ControlName, EvaluationConfig
from training.explanation_stage import Examined, Settings, evaluation_stage, sampled
from training.explanation_tables import explanation_tables
from training.stages import StageCache
from training.token_source import TokenSource


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")), replace(CONFIG, max_target_tokens=12))


@pytest.fixture(scope="module")
def examined(toy) -> Examined:
    """An untrained version with both controls; every second user is of group b."""
    rows = toy.data.split.train_explanations
    own = toy_source(toy)
    groups = tuple((f"group: {'ab'[row % 2]}",) for row in range(len(own.user_codes)))
    controls: dict[ControlName, TokenSource] = {"identity_free": own.averaged(), "random": own}
    return Examined(toy.workshop, own, controls, rows, toy.tokenizer.vocabulary, groups, None)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    encoder = tiny_sentence_encoder(tmp_path_factory.mktemp("encoder"))
    config = EvaluationConfig(max_rows=20, max_texts=12, bootstrap_samples=20, sentence_encoder=str(encoder))
    return Settings(config, replace(CONFIG, dtype="float32"), seed=0)


@pytest.fixture(scope="module")
def judged(examined, settings, tmp_path_factory):
    cache = StageCache(tmp_path_factory.mktemp("cache"))
    found = evaluation_stage(examined, settings, cache, "projector")
    again = evaluation_stage(examined, settings, cache, "projector")
    assert found == again
    assert len(list(cache.root.iterdir())) == 1
    return found


def test_every_arm_has_its_figures(judged):
    """Likelihoods of all arms of METHOD's list, and texts of as many."""
    figures = judged["explanations"]
    assert figures["rows"] == 20
    arms = {"true", "user", "item", "both", "identity_free", "random", "none", "profile", "profile_tokens"}
    assert arms | {"random_user", "random_item"} == set(figures["tokens_only"]["nll"])
    texts = figures["texts"]
    more = {"titled", "as_served", "constant", "reference", "other_reference", "template"}
    assert arms | more == set(texts["arms"])
    assert texts["rows"] == 12
    assert texts["arms"]["reference"]["bertscore"]["mean"] == pytest.approx(1)
    assert texts["arms"]["constant"]["unique"] == pytest.approx(1 / 12)
    assert texts["pool"] >= 10


def test_the_averaged_control_has_no_margin_over_itself(judged):
    """As untrained stand-ins: the "random" control is the version itself, so its gain is the version's own."""
    gain = judged["explanations"]["tokens_only"]["gain"]
    assert gain["random"] == gain["tokens"]
    margins = judged["explanations"]["tokens_only"]
    assert margins["random_swap_margin"]["item"] == margins["swap_margin"]["item"]


def test_groups_of_users_are_compared(judged):
    """Margins and tone of both groups, each with its rows."""
    groups = judged["explanations"]["margins_by_group"]
    assert set(groups) == {"group: a", "group: b"}
    assert sum(group["rows"] for group in groups.values()) == 20
    assert set(judged["explanations"]["texts"]["tone_by_group"]["group: a"]) == {
        "rows",
        "words",
        "sentiment",
        "refusal",
    }


def test_examples_hold_all_arms_side_by_side(judged):
    """Each example has its item, the words of twelve tokens, and a text of every arm."""
    examples = judged["examples"]
    assert len(examples) == 8
    for example in examples:
        assert set(example["texts"]) == set(judged["explanations"]["texts"]["arms"])
        assert "thing" in example["title"]
        assert [len(labels) for labels in example["tokens"].values()] == [6, 6]


def test_without_texts_no_encoder_is_opened(examined, settings, tmp_path):
    """max_texts = 0: likelihoods alone, although the encoder's folder is not there."""
    config = replace(settings.evaluation, max_texts=0, sentence_encoder=str(tmp_path / "nowhere"))
    found = evaluation_stage(examined, replace(settings, evaluation=config), StageCache(tmp_path), "projector")
    assert set(found) == {"explanations"}
    assert "texts" not in found["explanations"]


def test_leaked_figures_are_marked_in_every_table(judged):
    for table in explanation_tables(judged["explanations"], leaked=True):
        assert "LEAKED" in str(table.title)
    assert len(list(explanation_tables(judged["explanations"]))) == 2


def test_a_sample_is_seeded_and_in_order():
    """Fewer rows than asked for stay as they are; of more, so many different ones in ascending order."""
    rows = np.arange(100, 160)
    np.testing.assert_array_equal(sampled(rows, 60, 0), rows)
    chosen = sampled(rows, 10, 0)
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    assert len(chosen) == 10
    assert set(chosen.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(chosen, sampled(rows, 10, 0))
    assert not np.array_equal(chosen, sampled(rows, 10, 1))
