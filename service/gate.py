"""Who may ask: API keys and their scopes, and how often each may."""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api_keys import ApiKey, ApiKeys
from service.api_keys import Scope as KeyScope
from service.errors import Forbidden, RateLimited, ServiceError, Unauthenticated
from service.interfaces import RateLimiter
from service.problems import problem
from service.telemetry import Telemetry

OPEN_PATHS: Final = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"})
"""Asked without a key: the page and the documents, which hold nothing of anybody, and what an orchestrator asks."""
_OPEN_FOLDER: Final = "/page/"
_ADMIN_FOLDER: Final = "/admin/"
_BEARER: Final = "bearer "


class Gate:
    """Lets a request pass that has a key for it: `Authorization: Bearer KEY`.

    Every path that is not said to be open needs a key, so that a new route cannot be forgotten. The body of a request
    that is refused is never read. Plain ASGI, as RequestScope.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys, limiter: RateLimiter | None, telemetry: Telemetry) -> None:
        self._app = app
        self._keys = keys
        self._limiter = limiter
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]):
            try:
                await self._admit(scope)
            except ServiceError as error:
                await problem(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        """Raises Unauthenticated, Forbidden, RateLimited."""
        admin = scope["path"].startswith(_ADMIN_FOLDER) and self._keys.guard("admin")
        needed: KeyScope = "admin" if admin else "serve"
        if not self._keys.guard(needed):
            return
        key = self._presented(scope)
        if key is None:
            raise Unauthenticated
        if needed not in key.scopes:
            raise Forbidden(needed)
        if self._limiter is not None:
            wait_s = await self._limiter.wait_s(key.name)
            if wait_s:
                self._telemetry.count_rate_limited()
                raise RateLimited(wait_s)

    def _presented(self, scope: Scope) -> ApiKey | None:
        header = Headers(scope=scope).get("authorization", "")
        if header[: len(_BEARER)].lower() != _BEARER:
            return None
        return self._keys.find(header[len(_BEARER) :].strip().encode("latin-1"))


def is_open(path: str) -> bool:
    """Whether a path needs no key even where keys are set."""
    return path in OPEN_PATHS or path.startswith(_OPEN_FOLDER)
