"""The load generator: a client that asks a running service as a crowd would, and tells how it was answered."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
from rich.table import Table

from model_store.artifact import Artifact
from service.load_plan import Arrival, Kind, LoadPlan, arrivals

MAX_IN_FLIGHT: Final = 512
"""Requests under way at most. One too many is not made but counted: an open loop must not hide its own limit."""
_PERCENTILES: Final = (50, 95, 99)


@dataclass
class Answers:
    """What became of the requests of one kind. Seconds count from when a request was due, not from when it got away."""

    seconds: list[float] = field(default_factory=list)
    """Of each answered one, to its last byte."""
    first_text_s: list[float] = field(default_factory=list)
    """Of each streamed one, until the first words came."""
    failures: Counter[str] = field(default_factory=Counter)
    """By status or other reason."""

    @property
    def num_asked(self) -> int:
        """Requests made, and those that were due but had to be left out."""
        return len(self.seconds) + self.failures.total()


class AnswerFailed(Exception):
    """An answer that is not what was asked for; the message is short enough to be counted by."""


async def run_load(client: httpx.AsyncClient, requests: Iterable[Arrival]) -> dict[Kind, Answers]:
    """Make the requests, each at its time, and return what became of them once the last one has ended."""
    answers: dict[Kind, Answers] = {}
    under_way: set[asyncio.Task[None]] = set()
    started = time.perf_counter()
    for arrival in requests:
        due = started + arrival.at_s
        await asyncio.sleep(due - time.perf_counter())  # of a negative time: at once, others get their turn
        found = answers.setdefault(arrival.kind, Answers())
        if len(under_way) >= MAX_IN_FLIGHT:
            found.failures["not sent"] += 1
            continue
        task = asyncio.create_task(_request(client, arrival, due, found))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)
    return answers


def run(
    address: str, artifact: Artifact, plan: LoadPlan, *, timeout_s: float, api_key: str = ""
) -> dict[Kind, Answers]:
    """Ask the service at `address` as the plan says, for the users and items of the version that it serves."""

    async def ask() -> dict[Kind, Answers]:
        async with httpx.AsyncClient(
            base_url=address,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=MAX_IN_FLIGHT, max_keepalive_connections=MAX_IN_FLIGHT),
            trust_env=False,  # a proxy is never meant for a service of one's own
        ) as client:
            return await run_load(client, arrivals(plan, artifact.user_ids, artifact.catalog.ids))

    return asyncio.run(ask())


def summary(answers: dict[Kind, Answers]) -> Table:
    """Counts, milliseconds and failures, one row a kind; for streams also until the first words."""
    table = Table("request", "asked", "failed", *(f"p{percentile} ms" for percentile in _PERCENTILES), "failures")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for kind, found in answers.items():
        why = ", ".join(f"{reason}: {count}" for reason, count in found.failures.most_common())
        counts = (f"{found.num_asked:,}", f"{found.failures.total():,}")
        table.add_row(kind, *counts, *_percentiles_ms(found.seconds), why)
        if found.first_text_s:
            table.add_row(f"{kind}, first words", "", "", *_percentiles_ms(found.first_text_s), "")
    return table


async def _request(client: httpx.AsyncClient, arrival: Arrival, due: float, answers: Answers) -> None:
    try:
        if arrival.kind == "stream":
            answers.first_text_s.append(await _stream(client, arrival) - due)
        else:
            _check(await client.post(f"/{arrival.kind}", json=_body(arrival)))
    except AnswerFailed as failure:
        answers.failures[str(failure)] += 1
    except httpx.TimeoutException:
        answers.failures["timeout"] += 1
    except httpx.TransportError:
        answers.failures["no answer"] += 1
    else:
        answers.seconds.append(time.perf_counter() - due)


async def _stream(client: httpx.AsyncClient, arrival: Arrival) -> float:
    """When the first words came, on time.perf_counter's clock. Raises AnswerFailed unless the stream ends in order."""
    event, events, first_words = "", set[str](), 0.0
    async with client.stream("POST", "/explain", json=_body(arrival)) as answer:
        _check(answer)
        async for line in answer.aiter_lines():
            name, _, value = line.partition(":")
            if name == "event":
                event = value.strip()
                events.add(event)
            if not first_words and event in ("delta", "replace", "done"):  # from the cache all the text comes at once
                first_words = time.perf_counter()
            if event == "error" and name == "data":
                raise AnswerFailed(f"stream error {json.loads(value).get('status')}")
    if "done" not in events:
        raise AnswerFailed("stream broke off")
    return first_words


def _check(answer: httpx.Response) -> None:
    if answer.status_code != httpx.codes.OK:
        raise AnswerFailed(str(answer.status_code))


def _body(arrival: Arrival) -> dict[str, Any]:
    if arrival.kind == "recommend":
        return {"user_id": arrival.user_id, "k": 10}
    body = {"user_id": arrival.user_id, "item_id": arrival.item_id}
    return body | {"stream": True} if arrival.kind == "stream" else body


def _percentiles_ms(seconds: list[float]) -> list[str]:
    if not seconds:
        return ["-"] * len(_PERCENTILES)
    return [f"{1e3 * value:,.1f}" for value in np.percentile(seconds, _PERCENTILES)]
