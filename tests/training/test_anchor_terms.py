"""Terms of a catalogue: words of its texts, and facts as texts say them."""

from tests.training.toy_data import cinema, dataset_of, table
from training.anchor_terms import WORD, anchor_terms, no_terms
from training.data import ItemTable
from training.facts import FactTable


def texts_of(*texts: str) -> ItemTable:
    """Items with these texts."""
    pairs = [(0, item) for item in range(len(texts))]
    columns = table(
        "items.parquet", item_id=list(range(len(texts))), title=[f"T{i}" for i in range(len(texts))], text=list(texts)
    )
    return dataset_of(pairs, items=columns).items


def words_of(found: FactTable) -> list[str]:
    """What the terms are called."""
    return [term.value for term in found.facts]


def items_with(found: FactTable, term: str) -> list[int]:
    """Rows of the items that have a term."""
    rows: list[int] = found.matrix[:, words_of(found).index(term)].nonzero()[0].tolist()
    return rows


def test_facts_are_terms_as_texts_say_them():
    """Genres as several, people by name, each of its kind; years and what only two items have are none."""
    found = anchor_terms(cinema().items)
    assert items_with(found, "science fiction") == [0, 1, 2, 3, 8]
    assert items_with(found, "romances") == [4, 5, 6, 7, 8]
    assert items_with(found, "Ada Orbit") == [0, 1, 2]
    assert items_with(found, "1990s") == [4, 5, 6, 7, 8]
    assert not {"1977", "spaceship", "Romance"} & set(words_of(found))
    assert {"genre", "decade", "director"} <= {term.kind for term in found.facts}
    assert set(found.matrix.data.tolist()) == {1.0}


def test_single_words_of_texts_are_terms():
    """Phrases are not: their words are there already."""
    found = anchor_terms(texts_of(*["green curry"] * 3, *["red wine"] * 12))
    assert items_with(found, "curry") == [0, 1, 2]
    assert "green curry" not in words_of(found)


def test_a_word_for_a_fact_is_no_term_of_its_own():
    """Texts that call something romantic are no romances; what else they say counts."""
    texts = ("a tender romance",) * 3 + ("",) * 17
    columns = table(
        "items.parquet", item_id=list(range(20)), title=[f"T{i}" for i in range(20)], text=list(texts),
        facts=[["genre: Romance"] if 2 <= row < 6 else ["genre: Horror"] for row in range(20)],
    )  # fmt: skip
    found = anchor_terms(dataset_of([(0, item) for item in range(20)], items=columns).items)
    assert items_with(found, "tender") == [0, 1, 2]
    assert items_with(found, "romances") == [2, 3, 4, 5]
    assert "romance" not in words_of(found)


def test_a_catalogue_that_says_nothing_has_none():
    assert anchor_terms(texts_of("", "", "")).facts == ()
    assert no_terms(3).matrix.shape == (3, 0)


def test_a_part_of_how_a_fact_is_said_is_no_term_of_its_own():
    """Who reads "Ada Orbit" needs no "orbit" beside it."""
    texts = ("a stern orbit",) * 3 + ("",) * 17
    columns = table(
        "items.parquet", item_id=list(range(20)), title=[f"T{i}" for i in range(20)], text=list(texts),
        facts=[["director: Ada Orbit"] if row < 4 else ["genre: Horror"] for row in range(20)],
    )  # fmt: skip
    found = anchor_terms(dataset_of([(0, item) for item in range(20)], items=columns).items)
    assert "orbit" not in words_of(found)
    assert [term.kind for term in found.facts if term.value == "stern"] == [WORD]
