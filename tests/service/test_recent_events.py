"""What users did lately, within bounds."""

import pytest

from service.feedback_types import FeedbackEvent, FeedbackKind
from service.recent_events import RecentEvents, disliked, liked


@pytest.fixture
def recent() -> RecentEvents:
    return RecentEvents(max_users=3)


def test_the_last_thing_done_with_an_item_counts_and_is_the_newest(recent):
    """A liking taken back is a dislike; ids written as text or number are the same."""
    done: tuple[tuple[FeedbackKind, int | str], ...] = (("like", 1), ("view", 2), ("dislike", "1"), ("buy", 3))
    for kind, item_id in done:
        recent.note(FeedbackEvent(kind, item_id, 42))
    events = recent.of("42")
    assert [(event.kind, event.item_id) for event in events] == [("view", 2), ("dislike", "1"), ("buy", 3)]
    assert liked(events) == [2, 3]
    assert disliked(events) == ["1"]


def test_taking_the_same_events_twice_changes_nothing(recent):
    """Every service reads its own events again."""
    events = [FeedbackEvent("like", 1, "ann"), FeedbackEvent("buy", 2, "ann")]
    for event in events + events:
        recent.note(event)
    assert list(recent.of("ann")) == events


def test_users_and_items_are_bounded(recent):
    """The user quiet for longest leaves, and a user's oldest item."""
    for user_id in ("ann", "ben", "cem", "ann", "dee"):
        recent.note(FeedbackEvent("like", user_id, user_id))
    assert [bool(recent.of(user_id)) for user_id in ("ann", "ben", "cem", "dee")] == [True, False, True, True]
    for item_id in range(500):
        recent.note(FeedbackEvent("view", item_id, "ann"))
    assert liked(recent.of("ann")) == list(range(300, 500))


def test_events_of_nobody_are_passed_over(recent):
    """They are kept in the log, but there is no one to whom they could count."""
    recent.note(FeedbackEvent("like", 1))
    assert not recent.of("None")
