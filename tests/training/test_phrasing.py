"""Facts in English."""

import pytest

from training.facts import Fact
from training.phrasing import FANS_FRAMES, LINK_FRAMES, OFFER_FRAMES, STRANGE_FRAMES, TASTE_FRAMES, Wording, join

FILMS = Wording("a film", "films")


@pytest.mark.parametrize(
    ("phrases", "joined"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_phrases_join_as_in_english(phrases: tuple[str, ...], joined: str) -> None:
    """Commas, and "and" before the last."""
    assert join(phrases) == joined


def test_tastes_are_one_noun_phrase() -> None:
    """Genres in the plural, people with their part, keywords last."""
    facts = [Fact("keyword", "prison"), Fact("genre", "Comedy"), Fact("director", "Jo Doe"), Fact("decade", "1950s")]

    assert FILMS.tastes(facts) == "comedies, films by Jo Doe, films from the 1950s and films that touch on prison"


@pytest.mark.parametrize(
    ("facts", "phrase"),
    [
        ([], "a film"),
        ([Fact("genre", "Horror"), Fact("year", "1979")], "a horror film from 1979"),
        ([Fact("genre", "Comedy"), Fact("genre", "War")], "a mix of comedy and war"),
    ],
)
def test_an_items_kind_is_one_noun_phrase(facts: list[Fact], phrase: str) -> None:
    """One genre, several, none."""
    assert FILMS.kind(facts) == phrase


def test_offers_name_people_with_their_part() -> None:
    """And themes as themes."""
    facts = [
        Fact("genre", "Romance"),
        Fact("cast", "A"),
        Fact("cast", "B"),
        Fact("director", "C"),
        Fact("keyword", "k"),
    ]

    assert FILMS.offers(facts) == "romance, C as director, A and B in the cast and themes like k"


def test_categories_of_any_domain_can_be_said() -> None:
    """A data set of restaurants."""
    places = Wording("a place", "places")
    tacos = [Fact("category", "Mexican")]

    assert places.tastes(tacos) == "Mexican places"
    assert places.kind(tacos) == "a place of the kind Mexican"
    assert places.offers(tacos) == "Mexican"


def test_there_is_more_than_one_formula() -> None:
    """At least six ways to say what a user likes and six to say what an item brings, no two alike."""
    assert len(set(TASTE_FRAMES)) >= 6
    assert len(set(OFFER_FRAMES)) >= 6
    assert min(len(set(frames)) for frames in (STRANGE_FRAMES, LINK_FRAMES, FANS_FRAMES)) >= 3
