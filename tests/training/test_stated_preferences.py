"""What texts say that users prefer, held against a catalogue of two worlds whose fans share nothing."""

import numpy as np
import pytest

from tests.training.toy_data import UNTOLD, cinema, dataset_of
from training.data.dataset import Dataset
from training.facts import Fact, TasteConfig
from training.stated_preferences import PreferenceJudge

SF_FAN, ROMANCE_FAN = 0, 10
TEXT = (
    "You often go for science fiction, romances and films by Ada Orbit, as Star Port shows. Star Wedding has romance."
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return cinema()


@pytest.fixture(scope="module")
def judge(dataset: Dataset) -> PreferenceJudge:
    rows = np.arange(dataset.num_items)
    found = PreferenceJudge.of(dataset.items, rows, dataset.interactions.pairs, dataset.num_users, TasteConfig())
    assert found is not None
    return found


def facts(judge: PreferenceJudge, text: str, title: str = "Star Wedding") -> list[Fact]:
    """What the text states, the first meaning of each."""
    return [judge.tastes.table.facts[columns[0]] for columns in judge.stated(text, title)]


def test_facts_said_to_the_user_are_found(judge):
    """Genres by their words, people by name; neither a word of a title nor what is said of the item."""
    assert facts(judge, TEXT) == [
        Fact("genre", "Science Fiction"), Fact("genre", "Romance"), Fact("director", "Ada Orbit"),
    ]  # fmt: skip
    assert facts(judge, "You liked Two Hearts. It has a wedding and Lily Rose.") == []
    assert facts(judge, "You like weddings and wedding films; Star Wedding has robots for you.") == [
        Fact("keyword", "wedding")
    ]
    assert facts(judge, "A spaceship!") == []


def test_a_year_and_the_frames_own_words_are_nothing_stated(judge):
    assert facts(judge, "Your history leans towards films from 1977.") == []


def test_the_user_decides_what_is_true(judge):
    """Two of the three are true of one fan, one of the other; a text that states nothing has no share."""
    stated = [judge.stated(TEXT, "Star Wedding"), judge.stated(TEXT, "Star Wedding"), []]
    shares = judge.true_share(stated, np.array([SF_FAN, ROMANCE_FAN, SF_FAN]))
    np.testing.assert_allclose(shares, [2 / 3, 1 / 3, np.nan])


def test_figures_hold_the_own_user_against_another(judge):
    texts, titles = [TEXT, "It is a film."], ["Star Wedding"] * 2
    users = np.array([SF_FAN, SF_FAN]), np.array([ROMANCE_FAN, ROMANCE_FAN])
    found = judge.figures(texts, titles, users, samples=20, seed=0)
    assert found["stated"] == 1.5
    assert found["texts"] == 1
    means = [found[name]["mean"] for name in ("true", "swapped", "difference")]
    np.testing.assert_allclose(means, [2 / 3, 1 / 3, 1 / 3])
    assert judge.figures(["It is a film."], ["Untold"], (users[0][:1], users[1][:1]), 20, 0) == {
        "stated": 0, "texts": 0,
    }  # fmt: skip


def test_rows_may_stand_in_another_order(dataset, judge):
    """A version's rows need not be the data's; an item that the data does not know has neither facts nor a title."""
    rows = np.array([UNTOLD, 0, -1])
    found = PreferenceJudge.of(dataset.items, rows, dataset.interactions.pairs.take(np.zeros(0, int)), 1, TasteConfig())
    assert found is not None
    assert list(found.titles) == ["Untold", judge.titles[0], ""]
    assert [found.tastes.table.of(row).tolist() for row in range(3)] == [[], judge.tastes.table.of(0).tolist(), []]


def test_data_without_facts_has_no_judge():
    bare = dataset_of([(0, 0), (1, 1)])
    assert PreferenceJudge.of(bare.items, np.arange(2), bare.interactions.pairs, 2, TasteConfig()) is None
