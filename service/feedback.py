"""The use case behind POST /feedback."""

from collections.abc import Sequence
from dataclasses import replace

from service.feedback_types import FeedbackEvent, FeedbackReceipt, Served
from service.interfaces import FeedbackLog
from service.recent_events import RecentEvents
from service.telemetry import Telemetry


class Feedback:
    """Joins events to the recommendations they answer, keeps them, and lets them count from the next request on.

    Knows no version: it goes on when another one is served.
    """

    def __init__(self, log: FeedbackLog, recent: RecentEvents, telemetry: Telemetry) -> None:
        self.log = log
        self.recent = recent
        self._telemetry = telemetry
        self._started = False

    def start(self) -> None:
        """Begin to take in what the log holds and what other services add to it. Within the event loop; once counts."""
        if not self._started:
            self.log.start(self.recent.note)
        self._started = True

    async def take(self, events: Sequence[FeedbackEvent]) -> FeedbackReceipt:
        """Keep these events, oldest first."""
        wanted = {event.recommendation_id for event in events if event.recommendation_id is not None}
        served = {recommendation_id: await self.log.served(recommendation_id) for recommendation_id in wanted}
        joined = [_joined(event, served.get(event.recommendation_id or "")) for event in events]
        for event in joined:
            self.recent.note(event)
            self._telemetry.count_feedback(event.kind)
        shared = await self.log.append(joined)
        return FeedbackReceipt(
            accepted=len(joined),
            applied=sum(event.user_id is not None for event in joined),
            joined=sum(event.rank is not None for event in joined),
            shared=shared,
        )

    async def close(self) -> None:
        """Give back what the log holds."""
        await self.log.close()


def _joined(event: FeedbackEvent, served: Served | None) -> FeedbackEvent:
    """The event with what its recommendation knows; unchanged where that was for another user."""
    if served is None or (None not in (event.user_id, served.user_id) and str(event.user_id) != str(served.user_id)):
        return event
    user_id = served.user_id if event.user_id is None else event.user_id
    shown = [str(item_id) for item_id in served.item_ids]
    if str(event.item_id) not in shown:
        return replace(event, user_id=user_id)
    rank = served.offset + shown.index(str(event.item_id))
    return replace(event, user_id=user_id, rank=rank, model_version=served.model_version)
