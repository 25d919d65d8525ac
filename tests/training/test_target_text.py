"""From content to words."""

from dataclasses import replace

import pytest

from training.facts import Fact
from training.phrasing import Wording
from training.target_content import Content, Liked, Taste
from training.target_text import FANS, STORY, Statement, compose

FILMS = Wording("a film", "films")
SPACE = Liked(3, "Moon Dust")
FULL = Content(
    title="Far Planet",
    tastes=(Taste(Fact("genre", "Science Fiction"), (3, 4)), Taste(Fact("director", "Ada Orbit"), (4,))),
    meets=True,
    liked=(SPACE, Liked(4, "Star Port")),
    facts=(
        Fact("genre", "Science Fiction"),
        Fact("genre", "Horror"),
        Fact("year", "1982"),
        Fact("director", "Ada Orbit"),
        Fact("cast", "Max Steel"),
        Fact("keyword", "alien"),
        Fact("keyword", "spaceship"),
        Fact("keyword", "android"),
    ),
    link=None,
    fans_of=SPACE,
    story="A crew finds life.",
)
POOR = replace(FULL, facts=FULL.facts[:3], tastes=FULL.tastes[:1])


@pytest.mark.parametrize("content", [FULL, POOR, replace(POOR, meets=False), replace(FULL, meets=False)])
def test_every_phrasing_has_the_right_size(content: Content) -> None:
    """Whatever number picks it, and however little is known."""
    sizes = {compose(content, FILMS, number * 7919).num_words for number in range(400)}

    assert min(sizes) >= 25
    assert max(sizes) <= 60


def test_preferences_that_are_named_are_shown_and_met() -> None:
    """Each has a past item in the text, and stands among what the item brings."""
    for number in range(200):
        stated = compose(FULL, FILMS, number * 7919).stated
        shown = {row for one in stated if one.kind == "liked" for row in one.supports}
        named = [one for one in stated if one.about == "user" and one.kind != "liked"]

        assert named
        assert all(set(one.supports) & shown for one in named)
        assert {(one.kind, one.value) for one in named} <= {
            (one.kind, one.value) for one in stated if one.about == "item"
        }


def test_what_stands_in_for_themes_is_told_where_there_are_none() -> None:
    """A film of which TMDB tells nothing: its story, or what its fans like; a rich one needs neither."""
    poor = {one.kind for number in range(200) for one in compose(POOR, FILMS, number * 7919).stated}
    rich = {one.kind for number in range(200) for one in compose(FULL, FILMS, number * 7919).stated}

    assert STORY in poor
    assert STORY not in rich


def test_fans_are_named_with_the_item_that_they_like() -> None:
    """And that item supports the statement."""
    content = replace(POOR, story="")
    stated = {one for number in range(200) for one in compose(content, FILMS, number * 7919).stated}

    assert Statement("item", FANS, "Moon Dust", (3,)) in stated
