"""Words and text vectors of items whose colours are known."""

import numpy as np
import pytest
import scipy.sparse as sp

from tests.training.toy_data import dataset_of, table
from training.data import ItemTable
from training.item_texts import ItemWords, candidate_terms, mean_over_histories, text_vectors

COLOURS = ("red", "blue", "green", "amber", "violet", "silver")
NUM_ITEMS = 36


def items_of(*texts: str, categories: list[list[str]] | None = None) -> ItemTable:
    """A catalogue of these texts."""
    ids = list(range(len(texts)))
    titles = [f"Item {row}" for row in ids]
    optional = {} if categories is None else {"categories": categories}
    items = table("items.parquet", item_id=ids, title=titles, text=list(texts), **optional)
    return dataset_of([(0, row) for row in ids], items=items).items


def coloured() -> ItemTable:
    """Row r tells of colour r % 6, each colour with a second word of its own; "enjoy" stands everywhere."""
    return items_of(*(f"Enjoy {COLOURS[r % 6]} and {COLOURS[r % 6]}ish 1999." for r in range(NUM_ITEMS)))


def test_words_that_tell_items_apart_are_kept():
    """Colours stay; a word of every item, a stop word, a number and a word of two items go."""
    words = ItemWords.of_items(coloured())
    assert set(words.words) == {word for colour in COLOURS for word in (colour, f"{colour}ish")}
    red = words.present[:, words.words.index("red")].toarray().ravel()
    assert red.tolist() == [float(row % 6 == 0) for row in range(NUM_ITEMS)]
    rare = ItemWords.of_items(items_of("rare", "rare", *["plain"] * 3, *[""] * 20))
    assert rare.words == ("plain",)


def test_categories_are_words_too():
    """A genre counts like a word of the text, in lower case, once an item."""
    lists = [["Crime"]] * 3 + [[]] * 17
    words = ItemWords.of_items(items_of(*["A crime."] * 3, *[""] * 17, categories=lists))
    assert words.words == ("crime",)
    assert words.present.toarray().ravel().tolist() == [1.0] * 3 + [0.0] * 17


def test_words_that_stand_side_by_side_are_phrases():
    """Three words that are never apart are a phrase, and so are two of them; random neighbours are none."""
    fillers = [f"filler{chr(97 + row % 26)}x" for row in range(60)]
    texts = [f"The slow cooked pork, {fillers[row]} and {fillers[row // 3]}." for row in range(6)]
    texts += [f"Some {fillers[row]} with lamb {fillers[(row * 7) % 60]}" for row in range(6, 40)]
    words = ItemWords.of_items(items_of(*texts, *[""] * 20))
    assert {"slow cooked pork", "slow cooked", "cooked pork", "slow", "pork"} <= set(words.words)
    assert not [word for word in words.words if " " in word and "filler" in word]
    assert words.lengths[words.words.index("slow cooked pork")] == 3
    assert words.present[:, words.words.index("slow cooked")].sum() == 6


def test_nothing_stands_between_the_words_of_a_phrase():
    """Punctuation, stop words and numbers end a phrase; hyphens do not; three words are the most."""
    terms = candidate_terms("Warm tea, fresh scones he'll jam; no 1999 sci-fi tale of the wild west coast road!")
    phrases = {term for term in terms if " " in term}
    assert phrases == {
        "warm tea", "fresh scones", "sci-fi tale", "wild west", "west coast", "coast road", "wild west coast",
        "west coast road",
    }  # fmt: skip
    assert {"tea", "sci-fi", "jam"} <= set(terms)


def test_text_vectors_know_words_only():
    """Phrases change no text vector: their words are counted already."""
    with_phrases = ItemWords.of_items(items_of(*(f"slow {COLOURS[r % 6]} pork {COLOURS[r % 6]}ish" for r in range(36))))
    plain = with_phrases.lengths == 1
    assert not plain.all()
    words = tuple(word for word, one in zip(with_phrases.words, plain, strict=True) if one)
    without = ItemWords(words, with_phrases.present[:, plain])
    first, second = (text_vectors(each, dim=4, length=1.0, seed=0) for each in (with_phrases, without))
    np.testing.assert_array_equal(first, second)


def test_text_vectors_are_alike_within_a_colour_and_only_there():
    """Cosine 1 within a colour, below 0 across (they are centred), and every vector of the asked length."""
    vectors = text_vectors(ItemWords.of_items(coloured()), dim=5, length=0.5, seed=0)
    assert vectors.shape == (NUM_ITEMS, 5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 0.5, rtol=1e-5)
    cosines = vectors @ vectors.T / 0.25
    same = np.arange(NUM_ITEMS)[:, None] % 6 == np.arange(NUM_ITEMS)[None] % 6
    np.testing.assert_allclose(cosines[same], 1, atol=1e-4)
    assert cosines[~same].max() < 0.5


def test_an_item_without_words_has_the_zero_vector():
    """It must not get the mean of the others with its sign turned."""
    items = items_of(*(COLOURS[r % 6] for r in range(NUM_ITEMS)), "", "1999")
    vectors = text_vectors(ItemWords.of_items(items), dim=4, length=1.0, seed=0)
    assert not vectors[NUM_ITEMS:].any()
    assert vectors[:NUM_ITEMS].any(axis=1).all()


@pytest.mark.parametrize(("dim", "length"), [(0, 1.0), (8, 0.0)])
def test_texts_can_be_left_out(dim, length):
    """Width 0 or weight 0 gives no columns; so do items that say nothing."""
    assert text_vectors(ItemWords.of_items(coloured()), dim=dim, length=length, seed=0).shape == (NUM_ITEMS, 0)
    silent = ItemWords.of_items(items_of(*[""] * 20))
    assert silent.words == ()
    assert text_vectors(silent, dim=8, length=1.0, seed=0).shape == (20, 0)


def test_the_mean_over_a_history_is_that_of_its_items():
    """Dense or sparse values, by plain arithmetic; an empty history is zero."""
    histories = sp.csr_matrix(np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32))
    values = np.array([[2.0, 0.0], [4.0, 1.0], [9.0, 9.0]])
    expected = [[3, 0.5], [9, 9], [0, 0]]
    assert mean_over_histories(histories, values).tolist() == expected
    assert mean_over_histories(histories, sp.csr_matrix(values)).tolist() == expected
