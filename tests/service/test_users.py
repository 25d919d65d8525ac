"""Whom an answer is for: known users with a cache that helps, is empty or lies, and histories that are folded in."""

from pathlib import Path

import numpy as np
import pytest

from model_store import Artifact, ModelStore
from model_store.recency import Recency
from model_store.types import BehaviorTokens
from service.errors import UnknownHistory, UnknownUser
from service.feedback_types import FeedbackEvent
from service.recent_events import RecentEvents
from service.settings import Settings
from service.types import Stranger, Subject
from service.users import Users
from tests.artifacts import ITEM_IDS, NUM_USERS, USER_IDS, history_rows, tiny_artifact, unseen_rows
from tests.fakes import FakeTokenCache
from tests.service.conftest import running

BEN, BEN_ROW = USER_IDS[1], 1


@pytest.fixture(scope="module")
def artifact(store: Path) -> Artifact:
    return ModelStore(store).load("latest")


@pytest.fixture
def cache() -> FakeTokenCache:
    return FakeTokenCache()


@pytest.fixture
def recent() -> RecentEvents:
    return RecentEvents(max_users=10)


@pytest.fixture
def users(artifact, cache, recent) -> Users:
    return Users(
        ids=artifact.user_ids,
        item_ids=artifact.catalog.ids,
        codes=artifact.user_codes,
        histories=artifact.histories,
        tokenizer=artifact.tokenizer,
        cache=cache,
        recent=recent,
        recency=Recency(),
    )


def _ids(rows: list[int]) -> list[int]:
    return [ITEM_IDS[row] for row in rows]


async def test_a_miss_is_answered_by_the_model_and_fills_the_cache(users, cache, artifact):
    """The tokens are right and the cache has them."""
    bens = BehaviorTokens.from_codes(artifact.user_codes[BEN_ROW])
    assert await users.tokens(BEN_ROW) == bens
    assert cache.kept == {BEN: bens}


async def test_a_hit_is_answered_by_the_cache(users, cache):
    """What another service wrote counts."""
    cache.kept[BEN] = BehaviorTokens(3, (3,) * 5)
    assert await users.tokens(BEN_ROW) == BehaviorTokens(3, (3,) * 5)


async def test_a_code_no_codebook_has_is_not_believed(users, cache, artifact):
    """It would be looked up beyond the table; the model's tokens are answered and put in its place."""
    cache.kept[BEN] = BehaviorTokens(0, (0, 0, 0, 0, artifact.soft_tokens.codebook_size))
    assert await users.tokens(BEN_ROW) == BehaviorTokens.from_codes(artifact.user_codes[BEN_ROW])
    assert cache.kept[BEN] == BehaviorTokens.from_codes(artifact.user_codes[BEN_ROW])


def test_an_unknown_user_is_our_own_error(users):
    """With the id as it was asked."""
    with pytest.raises(UnknownUser) as caught:
        users.row("nobody")
    assert caught.value.user_id == "nobody"


async def test_a_known_user_is_what_was_trained(users, artifact):
    """Vector, tokens and history are the artifact's, and nothing is told to be missing."""
    subject = await users.subject(BEN)
    assert subject.user_id == BEN
    assert np.array_equal(subject.vector, artifact.embeddings.users[BEN_ROW])
    assert subject.tokens == BehaviorTokens.from_codes(artifact.user_codes[BEN_ROW])
    assert subject.history.tolist() == subject.seen.tolist() == history_rows(BEN_ROW)
    assert (subject.unknown_items, subject.fallback) == ((), None)


@pytest.mark.parametrize("user_row", range(NUM_USERS))
async def test_the_history_of_a_user_gets_the_tokens_of_that_user(users, artifact, user_row):
    """The checkerboard's tokens are those of the histories, so whoever tells a known history gets the same."""
    subject = await users.subject(None, _ids(history_rows(user_row)))
    assert subject.tokens == BehaviorTokens.from_codes(artifact.user_codes[user_row])
    assert np.allclose(subject.vector, artifact.embeddings.fold_in(history_rows(user_row)))
    assert (subject.user_id, subject.fallback) == (None, None)


async def test_newer_items_count_more_where_the_version_says_so(tmp_path):
    """Two red items and then a blue one: red while all count alike, blue where an item counts a quarter of the next."""
    history = _ids([0, 2, 1])
    found = {}
    for half_life in (0.0, 0.5):
        store = tmp_path / str(half_life) / "store"
        tiny_artifact(store, config={"recency": {"half_life": half_life, "unit": "items"}})
        async with running(Settings(store=store, llm="none")) as service:
            body = {"history": history, "k": 1}
            found[half_life] = (await service.client.post("/recommend", json=body)).json()
            weighed = service.components.artifact.embeddings.fold_in([0, 2, 1], [1 / 16, 1 / 4, 1])
    colours = {half_life: answer["items"][0]["categories"][0] for half_life, answer in found.items()}
    labels = {half_life: answer["user_tokens"][0]["label"].split()[0] for half_life, answer in found.items()}
    assert {half_life: label.strip(",") for half_life, label in labels.items()} == colours == {0.0: "red", 0.5: "blue"}
    item = service.components.artifact.embeddings.items[ITEM_IDS.index(found[0.5]["items"][0]["item_id"])]
    assert found[0.5]["items"][0]["score"] == pytest.approx(float(item @ weighed), rel=1e-4)


async def test_an_unknown_user_with_a_history_is_that_history(users):
    """And the answer says so, because it is not the user's own vector."""
    subject = await users.subject("nobody", _ids([0, 2]))
    assert subject.user_id == "nobody"
    assert subject.history.tolist() == [0, 2]
    assert "'nobody'" in str(subject.fallback)


async def test_what_a_known_user_did_since_is_added_to_the_training_history(users, artifact):
    """Both are folded in; both count as seen."""
    newer = list(unseen_rows(BEN_ROW))
    subject = await users.subject(BEN, _ids(newer))
    assert subject.user_id == BEN
    assert subject.history.tolist() == subject.seen.tolist() == history_rows(BEN_ROW) + newer
    assert np.allclose(subject.vector, artifact.embeddings.fold_in(history_rows(BEN_ROW) + newer))
    assert subject.fallback is None


async def test_an_item_told_twice_counts_once_and_as_the_newest(users):
    """Otherwise one item clicked often would be the whole history."""
    subject = await users.subject(None, _ids([4, 2, 6, 4]))
    assert subject.history.tolist() == [2, 6, 4]


async def test_unknown_items_of_a_history_are_ignored_and_told(users):
    """The known ones still speak; a known user needs none of them."""
    subject = await users.subject(None, ["no such", *_ids([0]), 999_999])
    assert subject.history.tolist() == [0]
    assert subject.unknown_items == ("no such", 999_999)
    known = await users.subject(BEN, ["no such"])
    assert known.history.tolist() == history_rows(BEN_ROW)
    assert known.unknown_items == ("no such",)


async def test_of_whom_nothing_is_known_there_is_no_subject(users):
    """An unknown user, with or without unknown items; a history that is empty or unknown."""
    for history in ((), ("no such",)):
        with pytest.raises(UnknownUser):
            await users.subject("nobody", history)
    for told in ((), ("no such",)):
        with pytest.raises(UnknownHistory) as caught:
            await users.subject(None, told)
        assert caught.value.item_ids == told


async def test_feedback_becomes_part_of_the_history(users, recent, artifact):
    """What a known user did is folded in as if the request had told it; what came last is the newest."""
    newer = list(unseen_rows(BEN_ROW))
    for row in newer:
        recent.note(FeedbackEvent("like", ITEM_IDS[row], BEN))
    subject, told = await users.subject(BEN), await users.subject(BEN, _ids(newer))
    assert subject.history.tolist() == history_rows(BEN_ROW) + newer
    assert subject.tokens == told.tokens
    assert np.array_equal(subject.vector, artifact.embeddings.fold_in(history_rows(BEN_ROW) + newer))


async def test_what_was_disliked_counts_as_seen_alone(users, recent, artifact):
    """The trained vector stays; with another liking it is folded in without the disliked item."""
    spurned, liked = unseen_rows(BEN_ROW)
    recent.note(FeedbackEvent("dislike", ITEM_IDS[spurned], BEN))
    subject = await users.subject(BEN)
    assert np.array_equal(subject.vector, artifact.embeddings.users[BEN_ROW])
    assert subject.seen.tolist() == [*history_rows(BEN_ROW), spurned]
    recent.note(FeedbackEvent("buy", ITEM_IDS[liked], BEN))
    recent.note(FeedbackEvent("dislike", ITEM_IDS[history_rows(BEN_ROW)[0]], BEN))
    subject = await users.subject(BEN)
    assert subject.history.tolist() == [*history_rows(BEN_ROW)[1:], liked]
    assert set(subject.seen.tolist()) == {*history_rows(BEN_ROW), spurned, liked}


async def test_events_of_items_that_the_version_does_not_know_change_nothing(users, recent):
    """And are not told as items of a history that the request did not have."""
    recent.note(FeedbackEvent("like", "of another version", BEN))
    subject = await users.subject(BEN)
    assert (subject.history.tolist(), subject.unknown_items) == (history_rows(BEN_ROW), ())


async def test_a_new_user_becomes_known_by_feedback(users, recent):
    """The id alone is enough from the first event on."""
    recent.note(FeedbackEvent("view", ITEM_IDS[3], "newcomer"))
    assert (await users.subject("newcomer")).history.tolist() == [3]


async def test_many_users_are_each_as_alone(users, recent):
    """Known ones, one of them with feedback, one asked for twice, and strangers."""
    recent.note(FeedbackEvent("like", ITEM_IDS[unseen_rows(2)[0]], USER_IDS[2]))
    asked = [USER_IDS[5], "nobody", USER_IDS[2], USER_IDS[5]]
    many = await users.subjects(asked)
    for user_id, whom in zip(asked, many, strict=True):
        if isinstance(whom, Stranger):
            assert whom == await users.subject_or_stranger(user_id)
            continue
        alone = await users.subject(user_id)
        assert (whom.user_id, whom.tokens) == (alone.user_id, alone.tokens)
        assert np.array_equal(whom.vector, alone.vector)
    assert [isinstance(whom, Subject) for whom in many] == [True, False, True, True]
