"""The client for plain code."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import httpx

from model_store.types import ItemId, UserId
from service.client import calls
from service.client.calls import Answer, Call
from service.client.errors import Unreachable, problem_of
from service.client.events import EventReader, ExplainEvent
from service.schemas.admin import ServedVersion
from service.schemas.browse import ItemsResponse, ModelResponse, SimilarResponse, UsersResponse, UserTokensResponse
from service.schemas.explain import ExplainManyResponse, ExplainRequest, ExplainResponse
from service.schemas.feedback import FeedbackRequest, FeedbackResponse
from service.schemas.health import Readiness
from service.schemas.recommend import (
    RecommendBatchRequest,
    RecommendBatchResponse,
    RecommendRequest,
    RecommendResponse,
)


class BeatClient:
    """Asks one service, over connections that are kept. Every method raises Problem or Unreachable.

    A question is asked up to `attempts` times where that is safe (see `Call.pause_s`).
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        attempts: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._attempts = attempts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Items for a user or a history, best first."""
        return self._ask(calls.recommend(request))

    def recommend_batch(self, request: RecommendBatchRequest) -> RecommendBatchResponse:
        """Items for up to 256 users, in the order asked."""
        return self._ask(calls.recommend_batch(request))

    def feedback(self, request: FeedbackRequest) -> FeedbackResponse:
        """Tell what users did with items: it counts from their next request on."""
        return self._ask(calls.feedback(request))

    def explain(self, request: ExplainRequest) -> ExplainResponse:
        """Why this item. ValueError for several items or a stream."""
        return self._ask(calls.explain(request))

    def explain_many(self, request: ExplainRequest) -> ExplainManyResponse:
        """Why these items, in the order asked. ValueError for one."""
        return self._ask(calls.explain_many(request))

    def similar(self, item_id: ItemId, k: int = 10) -> SimilarResponse:
        """Items near an item."""
        return self._ask(calls.similar(item_id, k))

    def user_tokens(self, user_id: UserId) -> UserTokensResponse:
        """What is known of a user."""
        return self._ask(calls.user_tokens(user_id))

    def find_users(self, query: str = "", limit: int = 20) -> UsersResponse:
        """Users whose id holds the query."""
        return self._ask(calls.find_users(query, limit))

    def find_items(self, query: str = "", limit: int = 20) -> ItemsResponse:
        """Items whose title holds the query."""
        return self._ask(calls.find_items(query, limit))

    def model(self) -> ModelResponse:
        """The served version."""
        return self._ask(calls.model())

    def readiness(self) -> Readiness:
        """State of each part of the service."""
        return self._ask(calls.readiness())

    def reload(self, version: str = "latest") -> ServedVersion:
        """Serve this version. Needs a key with the scope admin."""
        return self._ask(calls.reload(version))

    def roll_back(self) -> ServedVersion:
        """Serve what was served before. Needs a key with the scope admin."""
        return self._ask(calls.roll_back())

    def explain_stream(self, request: ExplainRequest) -> Iterator[ExplainEvent]:
        """Evidence at once, then the text in pieces, then how it was made. Leaving early stops the writing."""
        reader = EventReader()
        with self._answered(calls.explain_stream(request), stream=True) as answer:
            try:
                for line in answer.iter_lines():
                    yield from reader.read(line)
            except httpx.TransportError as error:
                raise Unreachable(error) from error

    def _ask(self, call: Call[Answer]) -> Answer:
        with self._answered(call) as answer:
            return call.answer.model_validate_json(answer.content)

    @contextmanager
    def _answered(self, call: Call[Answer], *, stream: bool = False) -> Iterator[httpx.Response]:
        """The good answer to the call, asked again where that may help."""
        for attempt in range(self._attempts):
            outcome = self._send(call, stream=stream)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                try:
                    yield outcome
                finally:
                    outcome.close()
                return
            pause_s = call.pause_s(attempt, outcome)
            if pause_s is None or attempt + 1 == self._attempts:
                break
            time.sleep(pause_s)
        if isinstance(outcome, httpx.Response):
            raise problem_of(outcome.status_code, outcome.content)
        raise Unreachable(outcome) from outcome

    def _send(self, call: Call[Answer], *, stream: bool) -> httpx.Response | httpx.TransportError:
        try:
            answer = self._http.send(call.request(self._http), stream=stream)
            if stream and not answer.is_success:
                answer.read()  # a failure is short, and closes itself when it is read
        except httpx.TransportError as error:
            return error
        return answer
