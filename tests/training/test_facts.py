"""Facts of items, and what users prefer in them."""

import numpy as np
import pytest

from tests.training.toy_data import BRIDGE, CINEMA, ROMANCE, SCIENCE_FICTION, UNTOLD, cinema
from training.data.dataset import Dataset, Pairs
from training.facts import Fact, FactTable, TasteConfig, Tastes, history_similar, likeness

SF = Fact("genre", "Science Fiction")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Two worlds of films and their fans."""
    return cinema()


@pytest.fixture(scope="module")
def table(dataset: Dataset) -> FactTable:
    return FactTable.of_items(dataset.items)


@pytest.fixture(scope="module")
def tastes(dataset: Dataset, table: FactTable) -> Tastes:
    return Tastes(table, dataset.interactions.pairs, dataset.num_users, TasteConfig())


def preferred(tastes: Tastes, user_row: int) -> set[Fact]:
    """Every fact that the user prefers."""
    strengths = tastes.of_user(user_row).strengths(np.arange(len(tastes.table.facts)))
    return {fact for fact, strength in zip(tastes.table.facts, strengths, strict=True) if strength > 0}


def test_facts_are_those_of_the_data_and_the_decade(table: FactTable) -> None:
    """The first film: its four facts in their order, and the decade of its year."""
    facts = [table.facts[column] for column in table.of(0)]

    assert facts == [
        SF,
        Fact("year", "1977"),
        Fact("decade", "1970s"),
        Fact("director", "Ada Orbit"),
        Fact("keyword", "spaceship"),
    ]
    assert len(table.of(UNTOLD)) == 0


def test_rarity_is_that_of_the_catalogue(table: FactTable) -> None:
    """5 of the 10 items are science fiction."""
    assert table.rarity[table.facts.index(SF)] == pytest.approx(np.log(len(CINEMA) / 5))


def test_what_a_user_prefers_follows_from_the_likes(tastes: Tastes) -> None:
    """Fans of science fiction prefer it, its director, its keyword and its decades, and nothing of the romances."""
    found = preferred(tastes, 2)

    assert {SF, Fact("director", "Ada Orbit"), Fact("keyword", "spaceship"), Fact("decade", "1970s")} <= found
    assert not any(fact.value in ("Romance", "Lily Rose", "wedding", "1990s") for fact in found)
    assert not any(fact.kind == "year" for fact in found)


def test_one_like_of_each_world_is_no_preference(tastes: Tastes) -> None:
    """User 20 liked two films that share nothing."""
    assert preferred(tastes, 20) == set()


def test_strength_is_count_times_log_lift(tastes: Tastes) -> None:
    """The independent formula, for a fan of four science fiction films (of 86 likes 43 are of the genre)."""
    column = tastes.table.facts.index(SF)
    likes = 86
    science_fiction = 10 * 4 + 1 + 2  # ten fans of four films, user 20's one, the bridge liked twice

    strength = tastes.of_user(2).strengths(np.array([column]))[0]

    assert strength == pytest.approx(4 * np.log(1 / (science_fiction / likes)))


def test_a_liked_item_does_not_speak_for_itself(tastes: Tastes) -> None:
    """Two films have the keyword spaceship: without one of them the other alone is no preference."""
    column = np.array([tastes.table.facts.index(Fact("keyword", "spaceship"))])
    user = tastes.of_user(2)

    assert user.strengths(column)[0] > 0
    assert user.strengths(column, without_one=True)[0] == 0


def test_what_most_people_like_is_nobodys_preference(dataset: Dataset, table: FactTable) -> None:
    """With a lower bound on what is common, science fiction (half of all likes) says nothing any more."""
    config = TasteConfig(max_common_share=0.4)
    tastes = Tastes(table, dataset.interactions.pairs, dataset.num_users, config)

    assert SF not in preferred(tastes, 2)
    assert Fact("director", "Ada Orbit") in preferred(tastes, 2)


def test_a_user_without_likes_has_no_preferences(table: FactTable) -> None:
    """No division by nothing."""
    nothing = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))

    assert preferred(Tastes(table, nothing, 3, TasteConfig()), 1) == set()


def test_likeness_is_the_rarity_of_what_is_shared(table: FactTable) -> None:
    """The two films with a spaceship share genre, decade, director and keyword; the worlds share nothing."""
    shared = [SF, Fact("decade", "1970s"), Fact("director", "Ada Orbit"), Fact("keyword", "spaceship")]
    expected = sum(table.rarity[table.facts.index(fact)] for fact in shared)

    scores = likeness(table, np.array([0]), np.array([1, ROMANCE[0]]))

    np.testing.assert_allclose(scores, [[expected, 0.0]])


def test_similar_history_comes_nearest_first_without_the_item(tastes: Tastes) -> None:
    """For the first film: the one with which it shares most, then the director's other, then the genre's."""
    assert history_similar(tastes, 2, 0, count=9).tolist() == [1, 2, 3]
    assert history_similar(tastes, 2, 0, count=1).tolist() == [1]
    assert history_similar(tastes, 2, ROMANCE[0], count=9).tolist() == []
    assert set(history_similar(tastes, 2, BRIDGE, count=9).tolist()) == set(SCIENCE_FICTION)


def test_liked_together_counts_the_others_only(tastes: Tastes) -> None:
    """Films 0 and 1 have ten fans in common, nine without user 2; films of two worlds one, user 20."""
    both, lift = tastes.liked_together(0, 1, besides=2)

    assert both == 9
    assert lift == pytest.approx(9 * 21 / (10 * 9))
    assert tastes.liked_together(0, 4, besides=20)[0] == 0
    assert tastes.liked_together(0, 4, besides=2)[0] == 1
