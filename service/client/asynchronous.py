"""The client for use within an event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


class AsyncBeatClient:
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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._attempts = attempts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.aclose()

    async def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Items for a user or a history, best first."""
        return await self._ask(calls.recommend(request))

    async def recommend_batch(self, request: RecommendBatchRequest) -> RecommendBatchResponse:
        """Items for up to 256 users, in the order asked."""
        return await self._ask(calls.recommend_batch(request))

    async def feedback(self, request: FeedbackRequest) -> FeedbackResponse:
        """Tell what users did with items: it counts from their next request on."""
        return await self._ask(calls.feedback(request))

    async def explain(self, request: ExplainRequest) -> ExplainResponse:
        """Why this item. ValueError for several items or a stream."""
        return await self._ask(calls.explain(request))

    async def explain_many(self, request: ExplainRequest) -> ExplainManyResponse:
        """Why these items, in the order asked. ValueError for one."""
        return await self._ask(calls.explain_many(request))

    async def similar(self, item_id: ItemId, k: int = 10) -> SimilarResponse:
        """Items near an item."""
        return await self._ask(calls.similar(item_id, k))

    async def user_tokens(self, user_id: UserId) -> UserTokensResponse:
        """What is known of a user."""
        return await self._ask(calls.user_tokens(user_id))

    async def find_users(self, query: str = "", limit: int = 20) -> UsersResponse:
        """Users whose id holds the query."""
        return await self._ask(calls.find_users(query, limit))

    async def find_items(self, query: str = "", limit: int = 20) -> ItemsResponse:
        """Items whose title holds the query."""
        return await self._ask(calls.find_items(query, limit))

    async def model(self) -> ModelResponse:
        """The served version."""
        return await self._ask(calls.model())

    async def readiness(self) -> Readiness:
        """State of each part of the service."""
        return await self._ask(calls.readiness())

    async def reload(self, version: str = "latest") -> ServedVersion:
        """Serve this version. Needs a key with the scope admin."""
        return await self._ask(calls.reload(version))

    async def roll_back(self) -> ServedVersion:
        """Serve what was served before. Needs a key with the scope admin."""
        return await self._ask(calls.roll_back())

    async def explain_stream(self, request: ExplainRequest) -> AsyncIterator[ExplainEvent]:
        """Evidence at once, then the text in pieces, then how it was made. Leaving early stops the writing."""
        reader = EventReader()
        async with self._answered(calls.explain_stream(request), stream=True) as answer:
            try:
                async for line in answer.aiter_lines():
                    for event in reader.read(line):
                        yield event
            except httpx.TransportError as error:
                raise Unreachable(error) from error

    async def _ask(self, call: Call[Answer]) -> Answer:
        async with self._answered(call) as answer:
            return call.answer.model_validate_json(answer.content)

    @asynccontextmanager
    async def _answered(self, call: Call[Answer], *, stream: bool = False) -> AsyncIterator[httpx.Response]:
        """The good answer to the call, asked again where that may help."""
        for attempt in range(self._attempts):
            outcome = await self._send(call, stream=stream)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                try:
                    yield outcome
                finally:
                    await outcome.aclose()
                return
            pause_s = call.pause_s(attempt, outcome)
            if pause_s is None or attempt + 1 == self._attempts:
                break
            await asyncio.sleep(pause_s)
        if isinstance(outcome, httpx.Response):
            raise problem_of(outcome.status_code, outcome.content)
        raise Unreachable(outcome) from outcome

    async def _send(self, call: Call[Answer], *, stream: bool) -> httpx.Response | httpx.TransportError:
        try:
            answer = await self._http.send(call.request(self._http), stream=stream)
            if stream and not answer.is_success:
                await answer.aread()  # a failure is short, and closes itself when it is read
        except httpx.TransportError as error:
            return error
        return answer
