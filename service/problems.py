"""Every failure as a client sees it: one shape (RFC 9457), and the one table of statuses."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from service.errors import (
    Forbidden,
    LanguageModelTimeout,
    LanguageModelUnavailable,
    NothingToRollBackTo,
    NotReady,
    Overloaded,
    RateLimited,
    ServiceError,
    Unauthenticated,
    UnknownHistory,
    UnknownItem,
    UnknownUser,
    VersionRefused,
)
from service.logs import request_id
from service.security_headers import SECURITY_HEADERS

PROBLEM_JSON = "application/problem+json"

STATUS_OF: Final[Mapping[type[ServiceError], int]] = MappingProxyType(
    {
        UnknownUser: 404,
        UnknownItem: 404,
        UnknownHistory: 404,
        NotReady: 503,
        Overloaded: 429,
        LanguageModelUnavailable: 503,
        LanguageModelTimeout: 504,
        VersionRefused: 409,
        NothingToRollBackTo: 409,
        Unauthenticated: 401,
        Forbidden: 403,
        RateLimited: 429,
    }
)
"""Every failure of our own and its status; a test holds it against the error tree."""

_MAX_FAULTS = 5
"""Faults of one body that are told; a hostile body can have thousands."""
_MAX_DETAIL = 500
"""Characters; details repeat what the client sent."""
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def problem(error: ServiceError) -> Response:
    """The answer to a failure of our own; its type names the error: urn:beat-serve:problem:unknown-user."""
    words = _WORD.sub(" ", type(error).__name__).lower()
    headers = {"retry-after": str(error.retry_after_s)} if error.retry_after_s is not None else {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"  # RFC 9110, 11.6.1: a 401 says how to do better
    kind = f"urn:beat-serve:problem:{words.replace(' ', '-')}"
    return _response(STATUS_OF[type(error)], str(error), headers, kind=kind, title=words.capitalize())


def answer_failures(app: FastAPI) -> None:
    """Make the application answer every failure in this shape."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_mistake)


def _response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    kind: str = "about:blank",  # RFC 9457: nothing is known beyond the status
    title: str | None = None,
) -> Response:
    body = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail[:_MAX_DETAIL],
        "request_id": request_id.get(),
    }
    return Response(orjson.dumps(body), status, headers, PROBLEM_JSON)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return problem(error)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:_MAX_FAULTS]]
    return _response(422, "; ".join(faults))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _response(error.status_code, f"{request.method} {request.url.path}: {error.detail}", error.headers)


async def _our_mistake(request: Request, error: Exception) -> Response:
    """Starlette logs the trace after this answer has gone; the client gets the id to ask about it."""
    detail = "The service made a mistake. Its log has the trace under this request id."
    return _response(500, detail, {**SECURITY_HEADERS, "x-request-id": request_id.get()})
