"""Terms of a catalogue: words of its texts, and facts as texts say them."""

from tests.training.toy_data import cinema, dataset_of, table
from training.anchor_terms import AnchorTerms
from training.data import ItemTable


def texts_of(*texts: str) -> ItemTable:
    """Items with these texts."""
    pairs = [(0, item) for item in range(len(texts))]
    columns = table(
        "items.parquet", item_id=list(range(len(texts))), title=[f"T{i}" for i in range(len(texts))], text=list(texts)
    )
    return dataset_of(pairs, items=columns).items


def items_with(found: AnchorTerms, term: str) -> list[int]:
    """Rows of the items that have a term."""
    rows: list[int] = found.present[:, found.words.index(term)].nonzero()[0].tolist()
    return rows


def test_facts_are_terms_as_texts_say_them():
    """Genres as several, people by name; years and what only two items have are none."""
    found = AnchorTerms.of_items(cinema().items)
    assert items_with(found, "science fiction") == [0, 1, 2, 3, 8]
    assert items_with(found, "romances") == [4, 5, 6, 7, 8]
    assert items_with(found, "Ada Orbit") == [0, 1, 2]
    assert items_with(found, "1990s") == [4, 5, 6, 7, 8]
    assert not {"1977", "spaceship", "Romance"} & set(found.words)
    assert set(found.present.data.tolist()) == {1.0}


def test_single_words_of_texts_are_terms():
    """Phrases are not: their words are there already."""
    found = AnchorTerms.of_items(texts_of(*["green curry"] * 3, *["red wine"] * 12))
    assert items_with(found, "curry") == [0, 1, 2]
    assert "green curry" not in found.words


def test_a_catalogue_that_says_nothing_has_none():
    assert AnchorTerms.of_items(texts_of("", "", "")).words == ()
    assert AnchorTerms.none(3).present.shape == (3, 0)
