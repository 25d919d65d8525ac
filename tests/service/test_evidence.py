"""Evidence on the checkerboard: what speaks for a red item is the red past."""

import pytest

from model_store.artifact import Artifact
from model_store.store import ModelStore
from model_store.types import BehaviorTokens
from service.evidence import EvidenceSelector, Labels
from tests.artifacts import COLOURS, ITEM_IDS, NUM_USERS, colour_of, history_rows, unseen_rows


@pytest.fixture
def artifact(store) -> Artifact:
    return ModelStore(store).load("latest")


@pytest.fixture
def selector(artifact) -> EvidenceSelector:
    return EvidenceSelector(
        artifact.catalog,
        artifact.histories,
        artifact.embeddings,
        artifact.vocabulary,
        Labels(artifact.vocabulary),
        artifact.item_codes,
    )


def _user_tokens(artifact: Artifact, row: int) -> BehaviorTokens:
    return BehaviorTokens.from_codes(artifact.user_codes[row])


def test_the_past_items_of_the_same_colour_speak_for_an_item(artifact, selector):
    """Three of the user's own items, most similar first, each with its title."""
    for user_row in range(NUM_USERS):
        item_row = unseen_rows(user_row)[0]
        evidence = selector.select(_user_tokens(artifact, user_row), user_row, item_row)
        past_rows = [ITEM_IDS.index(past.item_id) for past in evidence.past_items]
        assert len(past_rows) == 3
        assert set(past_rows) <= set(history_rows(user_row))
        similarities = [past.similarity for past in evidence.past_items]
        assert similarities == sorted(similarities, reverse=True)
        assert min(similarities) > 0.9
        assert [past.title for past in evidence.past_items] == [artifact.catalog.titles[row] for row in past_rows]


def test_the_other_colour_shares_no_past(artifact, selector):
    """A blue item has cosines near 0 with a red past: far below those of a red one."""
    same = selector.select(_user_tokens(artifact, 0), 0, unseen_rows(0)[0])
    other = selector.select(_user_tokens(artifact, 0), 0, unseen_rows(1)[0])
    assert max((past.similarity for past in other.past_items), default=0) < 0.2
    assert min(past.similarity for past in same.past_items) > 0.9


def test_an_item_is_no_evidence_for_itself(artifact, selector):
    """Asked about an item of the user's past, the other past items speak."""
    item_row = history_rows(0)[0]
    evidence = selector.select(_user_tokens(artifact, 0), 0, item_row)
    assert ITEM_IDS[item_row] not in [past.item_id for past in evidence.past_items]


def test_labels_and_shared_words_are_the_vocabulary_s(artifact, selector):
    """The macro labels name the colours; same colour shares the colour's words, each once, other colours share less."""
    same = selector.select(_user_tokens(artifact, 1), 1, unseen_rows(1)[0])
    assert same.user.labels[0] == "blue, blue tale, story"
    assert same.item.labels[0].startswith(colour_of(1))
    assert {"blue", "blue tale"} <= set(same.shared_words)
    assert len(same.shared_words) == len(set(same.shared_words))
    other = selector.select(_user_tokens(artifact, 1), 1, unseen_rows(0)[0])
    assert not set(COLOURS) & set(other.shared_words)
