"""Evidence on the checkerboard: what speaks for a red item is the red past."""

import numpy as np
import pytest

from model_store.artifact import Artifact
from model_store.behavior_tokenizer import SideTokenizer
from model_store.store import ModelStore
from model_store.types import BehaviorTokens
from model_store.vocabulary import Vocabulary
from service.evidence import EvidenceSelector, Labels
from service.explanation import Evidence
from tests.artifacts import COLOURS, ITEM_IDS, NUM_USERS, colour_of, history_rows, unseen_rows


@pytest.fixture
def artifact(store) -> Artifact:
    return ModelStore(store).load("latest")


@pytest.fixture
def selector(artifact) -> EvidenceSelector:
    return EvidenceSelector(
        artifact.catalog,
        artifact.tokenizer,
        artifact.vocabulary,
        Labels(artifact.vocabulary),
        artifact.item_codes,
    )


def _user_tokens(artifact: Artifact, row: int) -> BehaviorTokens:
    return BehaviorTokens.from_codes(artifact.user_codes[row])


def _select(artifact: Artifact, selector: EvidenceSelector, user_row: int, item_row: int) -> Evidence:
    return selector.select(_user_tokens(artifact, user_row), artifact.histories.of(user_row), item_row)


def test_the_past_items_of_the_same_colour_speak_for_an_item(artifact, selector):
    """Three of the user's own items, most similar first, each with its title."""
    for user_row in range(NUM_USERS):
        item_row = unseen_rows(user_row)[0]
        evidence = _select(artifact, selector, user_row, item_row)
        past_rows = [ITEM_IDS.index(past.item_id) for past in evidence.past_items]
        assert len(past_rows) == 3
        assert set(past_rows) <= set(history_rows(user_row))
        similarities = [past.similarity for past in evidence.past_items]
        assert similarities == sorted(similarities, reverse=True)
        assert min(similarities) > 0.9
        assert [past.title for past in evidence.past_items] == [artifact.catalog.titles[row] for row in past_rows]


def test_the_other_colour_shares_no_past(artifact, selector):
    """A blue item has cosines near 0 with a red past: far below those of a red one."""
    same = _select(artifact, selector, 0, unseen_rows(0)[0])
    other = _select(artifact, selector, 0, unseen_rows(1)[0])
    assert max((past.similarity for past in other.past_items), default=0) < 0.2
    assert min(past.similarity for past in same.past_items) > 0.9


def test_an_item_is_no_evidence_for_itself(artifact, selector):
    """Asked about an item of the user's past, the other past items speak."""
    item_row = history_rows(0)[0]
    evidence = _select(artifact, selector, 0, item_row)
    assert ITEM_IDS[item_row] not in [past.item_id for past in evidence.past_items]


def test_labels_and_shared_words_are_the_vocabulary_s(artifact, selector):
    """The macro labels name the colours; same colour shares the colour's words, each once, other colours share less."""
    same = _select(artifact, selector, 1, unseen_rows(1)[0])
    assert same.user.labels[0] == "blue, blue tale, story"
    assert same.item.labels[0].startswith(colour_of(1))
    assert {"blue", "blue tale"} <= set(same.shared_words)
    assert len(same.shared_words) == len(set(same.shared_words))
    other = _select(artifact, selector, 1, unseen_rows(0)[0])
    assert not set(COLOURS) & set(other.shared_words)


def test_shared_words_are_true_of_the_item_and_of_the_past(artifact, selector):
    """A code's words are its typical members': a thread that neither item tells of itself is not told of them."""
    same = _select(artifact, selector, 1, unseen_rows(1)[0])
    assert any(word.startswith("thread") for pair in same.token_pairs for word in pair.words)
    assert not any(word.startswith("thread") for word in same.shared_words)
    strange = np.array([row for row in range(len(ITEM_IDS)) if colour_of(row) == colour_of(0)])
    found = selector.select(_user_tokens(artifact, 1), strange, unseen_rows(1)[0])
    assert set(found.shared_words) <= {"story"}
    assert selector.select(_user_tokens(artifact, 1), strange[:0], unseen_rows(1)[0]).shared_words == ()


def test_tokens_that_share_words_are_paired_with_their_cosine(artifact, selector):
    """Same colour: the macro tokens, which share all three of their words and stand for the same vector, come first."""
    for user_row in range(NUM_USERS):
        pairs = _select(artifact, selector, user_row, unseen_rows(user_row)[0]).token_pairs
        assert 1 <= len(pairs) <= 3
        assert (pairs[0].user_level, pairs[0].item_level) == (0, 0)
        assert colour_of(user_row) in pairs[0].words
        assert pairs[0].similarity == pytest.approx(1, abs=1e-3)
        assert [len(pair.words) for pair in pairs] == sorted((len(pair.words) for pair in pairs), reverse=True)


def test_where_no_words_are_shared_the_nearest_tokens_are_told(artifact):
    """A vocabulary without a word: one pair, without words, the nearest of all 36 by plain arithmetic."""
    silent = Vocabulary.empty(4)
    selector = EvidenceSelector(artifact.catalog, artifact.tokenizer, silent, Labels(silent), artifact.item_codes)
    (pair,) = _select(artifact, selector, 1, 5).token_pairs
    user, item = artifact.user_codes[1], artifact.item_codes[5]

    def codewords(side: SideTokenizer, codes: np.ndarray) -> list[np.ndarray]:
        fine = [side.micro.codebooks[level][code] for level, code in enumerate(codes[1:])]
        return [side.macro.codebook[codes[0]], *fine]

    cosines = {
        (u, i): float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        for u, a in enumerate(codewords(artifact.tokenizer.user, user))
        for i, b in enumerate(codewords(artifact.tokenizer.item, item))
    }
    best = max(cosines, key=lambda place: cosines[place])
    assert pair.words == ()
    assert pair.similarity == pytest.approx(cosines[best], abs=1e-4)
    assert cosines[pair.user_level, pair.item_level] == pytest.approx(cosines[best], abs=1e-6)
