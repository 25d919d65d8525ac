"""What may be said of a pair."""

import numpy as np
import pytest

from tests.training.toy_data import BRIDGE, ROMANCE, SCIENCE_FICTION, cinema, dataset_of, table
from training.data.dataset import Dataset
from training.facts import Fact, FactTable, TasteConfig, Tastes
from training.target_content import Content, Narrator, first_sentence, short_titles


def contents(dataset: Dataset, user_row: int, *item_rows: int) -> list[Content]:
    """The contents of one user's pairs, from all interactions."""
    tastes = Tastes(FactTable.of_items(dataset.items), dataset.interactions.pairs, dataset.num_users, TasteConfig())
    return Narrator(dataset.items, tastes).of_user(user_row, np.array(item_rows))


def test_past_items_come_nearest_first_and_never_the_item_itself() -> None:
    """For the first film its companion by the same director stands first."""
    (content,) = contents(cinema(), 2, 0)

    assert content.liked[0].title == "Moon Dust"
    assert {item.row for item in content.liked} == {1, 2, 3}


def test_a_met_preference_is_shown_by_the_items_that_have_it() -> None:
    """All and only those of the user's other likes."""
    (content,) = contents(cinema(), 2, 0)
    shown = {taste.fact: set(taste.supports) for taste in content.tastes}

    assert content.meets
    assert shown[Fact("genre", "Science Fiction")] == {1, 2, 3}
    assert shown[Fact("director", "Ada Orbit")] == {1, 2}


def test_an_item_that_meets_nothing_is_linked_where_it_shares_something_rare() -> None:
    """User 20 has no preference, but liked a romance; a fan of space shares nothing with one."""
    (romance,) = contents(cinema(), 20, ROMANCE[1])
    (strange,) = contents(cinema(), 2, ROMANCE[1])

    assert (romance.meets, strange.meets) == (False, False)
    assert romance.link is not None
    assert romance.link.liked.title == "Spring Kiss"
    assert set(romance.link.common) == {Fact("genre", "Romance"), Fact("cast", "Lily Rose"), Fact("keyword", "wedding")}
    assert strange.link is None
    assert {row for taste in strange.tastes for row in taste.supports} <= set(SCIENCE_FICTION)


def test_facts_that_other_items_share_are_told_first() -> None:
    """What stands in one item only cannot be learned from others."""
    (content,) = contents(cinema(), 2, BRIDGE)

    assert content.facts[-1] == Fact("year", "1999")


def test_two_items_of_one_title_do_not_speak_for_each_other() -> None:
    """Some data lists a film twice."""
    items = table(
        "items", item_id=[0, 1, 2, 3], title=["Same (1990)", "Same (1990)", "Other", "Third"], categories=[["x"]] * 4
    )
    pairs = [(1, 0), (1, 1), (1, 2), (1, 3)] + [(user, 3) for user in range(2, 9)]

    (content,) = contents(dataset_of(pairs, items=items), 0, 0)

    assert {item.title for item in content.liked} == {"Other", "Third"}


def test_titles_lose_their_year_unless_they_need_it() -> None:
    """Two films called Sabrina keep theirs; the same film listed twice does not need it."""
    titles = ["Heat (1995)", "Sabrina (1954)", "Sabrina (1995)", "Twice (1990)", "Twice (1990)", "2001"]
    items = table("items", item_id=list(range(6)), title=titles)
    dataset = dataset_of([(1, item) for item in range(6)], items=items)

    assert short_titles(dataset.items) == ["Heat", "Sabrina (1954)", "Sabrina (1995)", "Twice", "Twice", "2001"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A spy flies home. He is late.", "A spy flies home."),
        ("Dr. Jones seeks an ark. He finds it.", "Dr. Jones seeks an ark."),
        ("no end", ""),
        (" ".join(["long"] * 21) + ".", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_is_short_and_whole(text: str, sentence: str) -> None:
    """Titles before a name do not end it; one that is long or has no end is none."""
    assert first_sentence(text) == sentence
