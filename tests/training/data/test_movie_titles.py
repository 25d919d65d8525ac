"""Titles of two catalogues brought together, and no false friends."""

import pytest

from training.data.movie_titles import Film, match_films, natural_title, normal_form


@pytest.mark.parametrize(
    ("listed", "spoken"),
    [
        ("Toy Story", "Toy Story"),
        ("Terminator, The", "The Terminator"),
        ("Blue Angel, The (Blaue Engel, Der)", "The Blue Angel"),
        ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker"),
        ("Misérables, Les", "Les Misérables"),
        ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ("Paris, Texas", "Paris, Texas"),
        ("(500) Days of Summer", "Days of Summer"),
    ],
)
def test_a_title_is_said_in_natural_order(listed: str, spoken: str) -> None:
    """Articles come to the front, other titles in parentheses go; a comma that is no sorting stays."""
    assert natural_title(listed) == spoken


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alien³", "Alien 3"),
        ("The Naked Gun 33⅓", "The Naked Gun 33 1/3"),
        ("Les Misérables", "les miserables"),
        ("Romeo + Juliet", "Romeo and Juliet"),
        ("Sense & Sensibility", "Sense and Sensibility"),
        ("Ri¢hie Ri¢h", "Richie Rich"),
        ("Schindler\u2019s List", "Schindler's List"),
    ],
)
def test_spellings_of_one_title_are_one(one: str, other: str) -> None:
    """Accents, signs and typography do not part films."""
    assert normal_form(one) == normal_form(other)


KNOWN = [
    Film(("Crash",), 2004),
    Film(("Dracula",), 1992),
    Film(("Star Trek II: The Wrath of Khan",), 1982),
    Film(("Once Upon a Time in the West", "C'era una volta il West"), 1968),
    Film(("Twins",), 1990),
    Film(("Twins",), 1991),
    Film(("Fear",), 1996),
]


@pytest.mark.parametrize(
    ("title", "year", "position"),
    [
        ("Bram Stoker's Dracula", 1992, 1),
        ("Star Trek: The Wrath of Khan", 1982, 2),
        ("Once Upon a Time in the West", 1969, 3),
        ("Tale of the West, A (C'era una volta il West)", 1968, 3),
        ("Twins", 1991, 5),
        ("Crash", 1996, None),  # a namesake of another year
        ("Twins", 1989, 4),
        ("Fear, The", 1995, None),  # another film than "Fear"
        ("Unheard Of", 1992, None),
    ],
)
def test_films_match_by_title_and_year(title: str, year: int, position: int | None) -> None:
    """Years may differ by one; where two films fit equally well, none is taken."""
    assert match_films([Film((title,), year)], KNOWN) == [position]


def test_two_films_that_fit_equally_well_match_none() -> None:
    """A wrong text is worse than none."""
    assert match_films([Film(("Twins",), 1991)], [Film(("Twins",), 1990), Film(("Twins",), 1992)]) == [None]
