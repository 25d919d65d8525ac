from dataclasses import replace

import numpy as np
import pytest

from model_store.artifact_checks import check_contents, check_finite
from model_store.catalog import Catalog, Histories
from model_store.errors import ArtifactIncompatible
from model_store.id_map import IdMap
from model_store.quantizer import MacroQuantizer
from model_store.types import Item
from model_store.vocabulary import Vocabulary
from tests.artifacts import (
    CODEBOOK_SIZE,
    NUM_ITEMS,
    NUM_USERS,
    random_soft_tokens,
    tiny_language_model,
    tiny_parts,
)


@pytest.fixture
def parts(tmp_path):
    """The checkerboard."""
    return tiny_parts(tiny_language_model(tmp_path / "llm"))


def test_the_checkerboard_fits(parts):
    """The toy artifact is valid, so each fault below is the only one."""
    check_contents(parts, parts.language_model)
    check_finite(parts)


def with_embeddings(parts, name, change):
    array = change(getattr(parts.embeddings, name))
    return replace(parts, embeddings=replace(parts.embeddings, **{name: array}))


def with_code(parts, name, code):
    codes = getattr(parts, name).copy()
    codes[-1, -1] = code
    return replace(parts, **{name: codes})


def with_decode_table(parts, shape, value=0.0):
    user = replace(parts.tokenizer.user, decode_table=np.full(shape, value, np.float32))
    return replace(parts, tokenizer=replace(parts.tokenizer, user=user))


FAULTS = {
    "users with vectors": lambda p: with_embeddings(p, "users", lambda a: a[:-1]),
    "users with histories": lambda p: replace(p, histories=Histories.from_pairs([0], [0], NUM_USERS + 1)),
    "user codes": lambda p: replace(p, user_codes=p.user_codes[:, :5]),
    "items with vectors": lambda p: with_embeddings(p, "items", lambda a: np.concatenate([a, a[:1]])),
    "items with text vectors": lambda p: with_embeddings(p, "item_texts", lambda a: a[:-1]),
    "items with degrees": lambda p: with_embeddings(p, "item_degree", lambda a: a[:-1]),
    "item codes": lambda p: replace(p, item_codes=p.item_codes[:-1]),
    "item titles, texts and categories": lambda p: replace(
        p, catalog=Catalog.from_items(p.catalog.ids, [Item(1, "only one")], p.catalog.popularity)
    ),
    "items with popularity": lambda p: replace(p, catalog=replace(p.catalog, popularity=p.catalog.popularity[:-1])),
    "width of user vectors": lambda p: with_embeddings(p, "users", lambda a: a[:, :-1]),
    "fold-in map": lambda p: with_embeddings(p, "fold_in_map", lambda a: a[:, :-1]),
    "dtype of items": lambda p: with_embeddings(p, "items", lambda a: a.astype(np.float64)),
    "dimensions of user, item and text vectors": lambda p: with_embeddings(p, "item_texts", lambda a: a[:, 0]),
    "user codebook": lambda p: replace(
        p,
        tokenizer=replace(
            p.tokenizer, user=replace(p.tokenizer.user, macro=MacroQuantizer(np.zeros((CODEBOOK_SIZE, 3), np.float32)))
        ),
    ),
    "user decode table": lambda p: with_decode_table(p, (6, CODEBOOK_SIZE, 3)),
    "codes that soft tokens are read from": lambda p: replace(
        p, soft_tokens=replace(p.soft_tokens, item=random_soft_tokens(0, codebook_size=CODEBOOK_SIZE + 1).item)
    ),
    "width of the vectors by which soft tokens choose words": lambda p: replace(
        p, soft_tokens=random_soft_tokens(0, dim_joint=3)
    ),
    "codes in the vocabulary, by level": lambda p: replace(p, vocabulary=Vocabulary.empty(CODEBOOK_SIZE + 1)),
    "dtype of user codes": lambda p: replace(p, user_codes=p.user_codes.astype(np.int64)),
    "user codes below 4": lambda p: with_code(p, "user_codes", CODEBOOK_SIZE),
    "item codes below 4": lambda p: with_code(p, "item_codes", 65535),
    "history entries below 12": lambda p: replace(p, histories=Histories.from_pairs([0], [NUM_ITEMS], NUM_USERS)),
    "hidden size of the soft tokens for tiny-llama": lambda p: replace(
        p, language_model=replace(p.language_model, hidden_size=17)
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_is_found_and_named(parts, what):
    """Every relation between the parts is looked at: the error says which does not hold."""
    faulty = FAULTS[what](parts)
    with pytest.raises(ArtifactIncompatible) as caught:
        check_contents(faulty, faulty.language_model)
    assert caught.value.what == what
    assert caught.value.expected != caught.value.found


def test_ids_that_are_one_too_many_are_found(parts):
    """Ids without vectors would be answered with another user's."""
    with pytest.raises(ArtifactIncompatible, match="users with vectors: expected 9, found 8"):
        check_contents(replace(parts, user_ids=IdMap.from_ids(range(9))), parts.language_model)


@pytest.mark.parametrize("name", ["users", "items", "item_texts", "fold_in_map"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_found(parts, name, bad):
    """They would rank in no order."""

    def spoil(array):
        spoilt = array.copy()
        spoilt[-1, -1] = bad
        return spoilt

    with pytest.raises(ArtifactIncompatible, match="finite numbers"):
        check_finite(with_embeddings(parts, name, spoil))


def test_a_decode_table_that_fits_is_checked_for_its_numbers(parts):
    """Of the codebooks' shape it passes; one number that is not finite is found."""
    shape = (6, CODEBOOK_SIZE, parts.embeddings.dim_joint)
    check_contents(with_decode_table(parts, shape), parts.language_model)
    with pytest.raises(ArtifactIncompatible, match="user decode table"):
        check_finite(with_decode_table(parts, shape, np.nan))
