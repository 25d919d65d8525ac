"""Routes that explain: take the request, call one use case, answer."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from service.errors import ServiceError
from service.explainer import Explainer, Prepared
from service.problems import problem
from service.routes.client_left import CLIENT_CLOSED_REQUEST, while_connected
from service.routes.json_route import BAD_REQUEST, TOO_LONG, ComponentsDep, JsonRoute, json_response, problems
from service.schemas.explain import (
    ExplainManyResponse,
    ExplainRequest,
    ExplainResponse,
    answer_to_keep,
    event,
    event_of,
    kept_answer,
)

router = APIRouter(route_class=JsonRoute)

EVENT_STREAM = "text/event-stream"
_ANSWERS = {200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}} | problems(
    {
        404: "No such user or item in the served model.",
        413: TOO_LONG,
        422: BAD_REQUEST,
        429: "Too many explanations are under way; see Retry-After.",
    }
)
_NOT_BUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.post(
    "/explain",
    response_model=ExplainResponse | ExplainManyResponse,
    responses=_ANSWERS,
    summary="Why this item for this user",
)
async def explain(body: ExplainRequest, request: Request, parts: ComponentsDep) -> Response:
    """One explanation, or several, with the evidence each rests on; `source` tells who wrote the text.

    A language model that is down, slow or wrong is no failure: the template answers within the deadline, and says so.
    """
    question = body.question(parts.explainer.max_tokens)
    answers = None if body.stream else parts.kept_answers
    if answers is not None and (kept := await answers.find(question)) is not None:
        return Response(kept_answer(kept), media_type="application/json")
    prepared = await parts.explainer.prepare(question)
    if body.stream:
        return StreamingResponse(_events(parts.explainer, prepared), 200, _NOT_BUFFERED, EVENT_STREAM)
    explaining = parts.explainer.explain(prepared)
    explanations = await (explaining if prepared.at_once else while_connected(request, explaining))
    if explanations is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if body.item_ids is not None:
        return json_response(ExplainManyResponse.of(explanations))
    (explanation,) = explanations
    answer = ExplainResponse.of(explanation)
    if answers is not None and explanation.source != "template":
        await answers.keep(question, explanation.evidence.user.tokens, answer_to_keep(answer))
    return json_response(answer)


async def _events(explainer: Explainer, prepared: Prepared) -> AsyncIterator[bytes]:
    """A client who leaves closes this, and with it the writing."""
    async with aclosing(explainer.stream(prepared)) as stream:
        try:
            async for told in stream:
                yield event_of(told)
        except ServiceError as error:
            yield event("error", bytes(problem(error).body))
