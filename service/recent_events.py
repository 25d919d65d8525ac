"""What users did since the model was trained: bounded, in this process, by outside ids."""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final

from model_store.types import ItemId, UserId
from service.feedback_types import FeedbackEvent, FeedbackKind

_MAX_ITEMS: Final = 200
"""Items kept of one user, the newest: a fold-in of more says little more."""
_DISLIKES: Final[frozenset[FeedbackKind]] = frozenset({"dislike"})


class RecentEvents:
    """The last thing each user did with each item. The users who were quiet longest leave first."""

    def __init__(self, *, max_users: int) -> None:
        self._max_users = max_users
        self._users: OrderedDict[str, dict[str, FeedbackEvent]] = OrderedDict()

    def note(self, event: FeedbackEvent) -> None:
        """Take in one event; twice the same changes nothing. Events of nobody in particular are passed over."""
        if event.user_id is None:
            return
        user, item = str(event.user_id), str(event.item_id)  # 42 and "42" are one id
        events = self._users.setdefault(user, {})
        self._users.move_to_end(user)
        events.pop(item, None)  # to the end: the newest last
        events[item] = event
        if len(events) > _MAX_ITEMS:
            del events[next(iter(events))]
        if len(self._users) > self._max_users:
            self._users.popitem(last=False)

    def of(self, user_id: UserId) -> Collection[FeedbackEvent]:
        """One event for each item, oldest first."""
        return self._users.get(str(user_id), {}).values()


def liked(events: Iterable[FeedbackEvent]) -> list[ItemId]:
    """Items that speak for what the user wants."""
    return [event.item_id for event in events if event.kind not in _DISLIKES]


def disliked(events: Iterable[FeedbackEvent]) -> list[ItemId]:
    """Items that only need not be shown again."""
    return [event.item_id for event in events if event.kind in _DISLIKES]
