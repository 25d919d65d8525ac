"""What the tokenizer is taught of texts: each explanation beside its pair, phrases of nodes, nothing held out."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

from tests.training.toy_data import dataset_of, table
from training.data import Dataset, Explanations, Pairs
from training.item_texts import ItemWords
from training.semantic_texts import NUM_SLOTS, SemanticTexts, node_phrases, semantic_texts, term_vectors
from training.train_tokenizer import history_matrix

DISHES = (
    "spicy noodle soup",
    "grilled lamb kebab",
    "warm apple pie",
    "fresh oyster bar",
    "crisp corn salad",
    "raw fish",
)
NUM_USERS, NUM_ITEMS = len(DISHES), 30
LIKED = [(user, item) for user in range(NUM_USERS) for item in range(NUM_ITEMS) if item % NUM_USERS == user]
SAID = np.arange(12) % NUM_USERS
"""Which dish each explanation is about."""


def toy(**changed: str) -> Dataset:
    """Item i is dish i % 6, the last without text; user u likes dish u; explanation j, of pair (j % 6, j), names it."""
    ids = list(range(NUM_ITEMS))
    texts = [f"Come for {DISHES[row % NUM_USERS]}." for row in ids[:-1]] + [""]
    items = table("items.parquet", item_id=ids, title=[f"Item {row}" for row in ids], text=texts)
    told = [f"A place for {DISHES[dish]}." for dish in SAID]
    told[-1] = changed.get("last", told[-1])
    explanations = Explanations(SAID.astype(np.int64), np.arange(12, dtype=np.int64), tuple(told))
    return replace(dataset_of(LIKED, items=items), explanations=explanations)


def texts_of(dataset: Dataset, positions: range) -> SemanticTexts:
    """In 8 dimensions, three more than six centred dishes need."""
    train = Pairs(*(np.array(rows, np.int64) for rows in zip(*LIKED, strict=True)))
    histories = history_matrix(train, NUM_USERS, NUM_ITEMS)
    return semantic_texts(dataset, np.array(positions), histories, dim=8, seed=0)


def test_sentences_stand_beside_their_own_pairs():
    """Explanations of one dish have one vector, of two dishes others; a text without a telling word is left out."""
    found = texts_of(toy(last="It is so."), range(1, 12))
    assert found.users.tolist() == SAID[1:11].tolist()
    assert found.items.tolist() == list(range(1, 11))
    cosines = found.sentences @ found.sentences.T
    same = torch.from_numpy(SAID[1:11, None] == SAID[None, 1:11])
    assert (cosines[same] > 0.99).all()
    assert (cosines[~same] < 0.5).all()


def test_phrases_are_those_of_the_item_and_of_the_history():
    """User and items of a dish have its phrase and nothing else; an item without a text has none."""
    found = texts_of(toy(), range(12))
    users, items = found.user_phrases.of(torch.arange(NUM_USERS)), found.item_phrases.of(torch.arange(NUM_ITEMS))
    assert users.present.sum(1).tolist() == [1] * NUM_USERS
    assert items.present.sum(1).tolist() == [1] * (NUM_ITEMS - 1) + [0]
    cosines = users.vectors[:, 0] @ items.vectors[:-1, 0].T
    same = torch.arange(NUM_USERS)[:, None] == torch.arange(NUM_ITEMS - 1)[None] % NUM_USERS
    assert (cosines[same] > 0.99).all()
    assert (cosines[~same] < 0.5).all()


def test_held_out_explanations_are_not_read():
    """Another text at a position that is not given changes nothing."""
    one, other = (texts_of(toy(last=text), range(11)) for text in ("Nothing.", "Go for spicy oyster kebab."))
    torch.testing.assert_close(one.sentences, other.sentences, rtol=0, atol=0)
    torch.testing.assert_close(one.item_phrases.vectors, other.item_phrases.vectors, rtol=0, atol=0)


def test_no_explanation_that_tells_anything():
    """There are then no pairs, and phrases all the same."""
    found = texts_of(toy(last="It is so."), range(11, 12))
    assert found.users.shape == (0,)
    assert found.sentences.shape == (0, 8)
    assert found.item_phrases.of(torch.tensor([0])).present.any()


def test_few_terms_leave_dimensions_empty():
    """Three texts of a term each span no more than two dimensions; the others are zero."""
    found = term_vectors(sp.identity(3, format="csr"), 8, 0)
    assert found[:, :2].any()
    assert not found[:, 2:].any()


def test_the_telling_phrases_of_a_node_come_first():
    """A phrase stands for its words and counts for as many; of many terms the best are kept; no term, no phrase."""
    words = ItemWords(("lamb", "kebab", "lamb kebab", *"abcdefgh"), sp.csr_matrix((0, 11)))
    one, many, none = [3.0, 0, 2] + [0.0] * 8, [0.0] * 3 + list(range(8, 0, -1)), [0.0] * 11
    found = node_phrases(sp.csr_matrix([one, many, none]), words)
    assert found.tolist() == [[2] + [-1] * 5, [3, 4, 5, 6, 7, 8], [-1] * 6]
    assert found.shape == (3, NUM_SLOTS)
