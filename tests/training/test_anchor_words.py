"""Words that codes point to, in the word space of a tiny LLM with one token a byte."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from model_store.prompt import PromptEncoder
from model_store.token_embeddings import TokenEmbeddings
from tests.artifacts import HIDDEN_SIZE, tiny_language_model
from training.anchor_terms import WORD
from training.anchor_words import Anchors, anchor_words
from training.data import Pairs
from training.facts import KEYWORD, Fact, FactTable
from training.item_texts import ItemWords, mean_over_histories, text_vectors

TOPICS = (
    ("tacos", "salsa", "mexican", "burrito"),
    ("sushi", "salmon", "japanese", "ramen"),
    ("pizza", "pasta", "oven", "basil"),
    ("coffee", "espresso", "pastry", "latte"),
    ("burger", "fries", "shake", "ketchup"),
    ("curry", "naan", "masala", "lentils"),
)


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    tiny_language_model(tmp_path / "llm")
    return tmp_path / "llm"


def documents() -> list[str]:
    """Forty items of each topic with three of its four words."""
    rng = np.random.default_rng(0)
    return [" and ".join(rng.permutation(topic)[:3]) for topic in TOPICS for _ in range(40)]


def histories() -> sp.csr_matrix:
    """User t liked ten of the forty items of topic t, and one of every topic."""
    liked = [[*range(40 * topic, 40 * topic + 10), *range(39, 240, 40)] for topic in range(len(TOPICS))]
    rows = np.repeat(np.arange(len(TOPICS)), [len(items) for items in liked])
    return sp.csr_matrix((np.ones(len(rows)), (rows, np.concatenate(liked))), shape=(len(TOPICS), 240))


def found_words(llm: Path, plain: Collection[str] = ()) -> tuple[Anchors, tuple[np.ndarray, np.ndarray]]:
    """Anchors, and the vectors by which they are found: item texts, and their means over histories.

    The `plain` ones are words, all others facts.
    """
    said = ItemWords.of_documents(documents())
    texts = text_vectors(said, dim=18, length=0.5, seed=0)
    sums = np.asarray(mean_over_histories(histories(), texts), np.float32), texts
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    kinds = [WORD if word in plain else KEYWORD for word in said.words]
    terms = FactTable.saying(tuple(map(Fact, kinds, said.words)), said.present)
    return anchor_words(terms, Pairs(*histories().nonzero()), sums, encoder, embeddings), sums


def test_items_point_to_their_own_words(llm):
    """The three best words of nearly every item stand in its text, and all of them belong to its topic."""
    found, (_, texts) = found_words(llm)
    best, told = found.item.best(texts, 3), documents()
    names = found.names
    hits = [names[row] in told[item] for item in range(len(told)) for row in best[item]]
    assert np.mean(hits) > 0.9
    assert all(names[row] in TOPICS[item // 40] for item in range(len(told)) for row in best[item])


def test_users_point_to_what_they_like_more_than_others(llm):
    """All four best words of every user are of the topic of which they liked most."""
    found, (tastes, _) = found_words(llm)
    best = found.user.best(tastes, 4)
    names = found.names
    assert all(names[row] in TOPICS[user] for user in range(len(TOPICS)) for row in best[user])


def test_an_item_that_says_nothing_points_to_the_commonest_words(llm):
    """The mean vector's scores are the words' mean weights: the regression adds nothing of its own."""
    found, (_, texts) = found_words(llm)
    scores = texts.mean(axis=0) @ found.item.weights + found.item.bias
    assert scores.min() > 0
    assert scores.max() < 2 * scores.min()


def test_a_word_is_the_embeddings_of_its_tokens(llm):
    """With the space before it that it has in a sentence."""
    found, _ = found_words(llm)
    encoder, embeddings = PromptEncoder.open(llm), TokenEmbeddings.open(llm)
    assert sorted(found.names) == sorted(word for topic in TOPICS for word in topic)
    for row, name in enumerate(found.names):
        own = found.words.tokens[found.words.starts[row] : found.words.starts[row + 1]]
        np.testing.assert_array_equal(own, embeddings.rows(encoder.encode_text(f" {name}", trusted=False)))


def test_a_catalogue_without_terms_has_no_words(llm):
    silent = FactTable.saying((), sp.csr_matrix((4, 0), dtype=np.float32))
    sums = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    likes = Pairs(np.array([0, 1]), np.array([2, 3]))
    found = anchor_words(silent, likes, sums, PromptEncoder.open(llm), TokenEmbeddings.open(llm))
    assert len(found.words) == 0
    assert found.words.hidden_size == HIDDEN_SIZE
    assert found.item.best(sums[1], 4).shape == (4, 0)


def test_facts_come_before_words(llm):
    """Where an item's terms are alike but for their kind, its facts are its best."""
    plain = {word for topic in TOPICS for word in topic[::2]}
    found, (_, texts) = found_words(llm, plain)
    assert not plain & {found.names[row] for row in found.item.best(texts, 1)[:, 0]}
