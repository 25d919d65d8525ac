"""Every question to the service as a value, and which of them may be asked again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from model_store.types import ItemId, UserId
from service.schemas.admin import ReloadRequest, ServedVersion
from service.schemas.browse import (
    ItemsResponse,
    ModelResponse,
    SimilarRequest,
    SimilarResponse,
    UsersResponse,
    UserTokensResponse,
)
from service.schemas.explain import ExplainManyResponse, ExplainRequest, ExplainResponse
from service.schemas.feedback import FeedbackRequest, FeedbackResponse
from service.schemas.health import Readiness
from service.schemas.recommend import (
    RecommendBatchRequest,
    RecommendBatchResponse,
    RecommendRequest,
    RecommendResponse,
)

Answer = TypeVar("Answer", bound=BaseModel)

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_NEVER_ARRIVED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKEN_OFF: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One question. `safe`: asking twice changes nothing."""

    method: str
    path: str
    answer: type[Answer]
    body: BaseModel | None = None
    params: Mapping[str, str | int] | None = None
    safe: bool = True

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The question as the client sends it."""
        if self.body is None:
            return client.build_request(self.method, self.path, params=self.params)
        content = self.body.model_dump_json(exclude_unset=True)
        return client.build_request(
            self.method, self.path, content=content, headers={"content-type": "application/json"}
        )

    def pause_s(self, attempt: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds to wait before asking again; None where the outcome stands.

        What never arrived, or was refused by 429, may always be asked again; what broke off or met a part that is not
        there (503) only where it is safe. A timeout stands: asking again would double the work that was too slow.
        """
        if isinstance(outcome, httpx.Response):
            again = outcome.status_code == 429 or (outcome.status_code == 503 and self.safe)
            told = outcome.headers.get("retry-after", "")
        else:
            again = isinstance(outcome, _NEVER_ARRIVED) or (isinstance(outcome, _BROKEN_OFF) and self.safe)
            told = ""
        if not again:
            return None
        pause_s = float(told) if told.isdecimal() else _FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5)
        return min(pause_s, _LONGEST_PAUSE_S)


def recommend(request: RecommendRequest) -> Call[RecommendResponse]:
    """POST /recommend."""
    return Call("POST", "/recommend", RecommendResponse, request)


def recommend_batch(request: RecommendBatchRequest) -> Call[RecommendBatchResponse]:
    """POST /recommend/batch."""
    return Call("POST", "/recommend/batch", RecommendBatchResponse, request)


def feedback(request: FeedbackRequest) -> Call[FeedbackResponse]:
    """POST /feedback: events that arrived twice would be counted twice."""
    return Call("POST", "/feedback", FeedbackResponse, request, safe=False)


def explain(request: ExplainRequest) -> Call[ExplainResponse]:
    """POST /explain for one item. ValueError for several, or for a stream."""
    if request.stream or request.item_ids is not None:
        raise ValueError("explain takes item_id and no stream: see explain_many, explain_stream")
    return Call("POST", "/explain", ExplainResponse, request)


def explain_many(request: ExplainRequest) -> Call[ExplainManyResponse]:
    """POST /explain for several items. ValueError for one."""
    if request.item_ids is None:
        raise ValueError("explain_many takes item_ids")
    return Call("POST", "/explain", ExplainManyResponse, request)


def explain_stream(request: ExplainRequest) -> Call[ExplainResponse]:
    """POST /explain, streamed, whether the request says so or not. ValueError for several items."""
    if request.item_ids is not None:
        raise ValueError("explain_stream takes item_id")
    return Call("POST", "/explain", ExplainResponse, request.model_copy(update={"stream": True}))


def similar(item_id: ItemId, k: int) -> Call[SimilarResponse]:
    """POST /items/{item_id}/similar."""
    return Call("POST", f"/items/{_in_path(item_id)}/similar", SimilarResponse, SimilarRequest(k=k))


def user_tokens(user_id: UserId) -> Call[UserTokensResponse]:
    """GET /users/{user_id}/tokens."""
    return Call("GET", f"/users/{_in_path(user_id)}/tokens", UserTokensResponse)


def find_users(query: str, limit: int) -> Call[UsersResponse]:
    """GET /users."""
    return Call("GET", "/users", UsersResponse, params={"query": query, "limit": limit})


def find_items(query: str, limit: int) -> Call[ItemsResponse]:
    """GET /items."""
    return Call("GET", "/items", ItemsResponse, params={"query": query, "limit": limit})


def model() -> Call[ModelResponse]:
    """GET /model."""
    return Call("GET", "/model", ModelResponse)


def readiness() -> Call[Readiness]:
    """GET /readyz."""
    return Call("GET", "/readyz", Readiness)


def reload(version: str) -> Call[ServedVersion]:
    """POST /admin/reload."""
    return Call("POST", "/admin/reload", ServedVersion, ReloadRequest(version=version))


def roll_back() -> Call[ServedVersion]:
    """POST /admin/rollback: asked twice it would go forth again."""
    return Call("POST", "/admin/rollback", ServedVersion, safe=False)


def _in_path(outside_id: int | str) -> str:
    return quote(str(outside_id), safe="")
