"""Whatever a client sends, it gets a documented answer."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.service.conftest import RunningApp, running

DOCUMENTED = {"/recommend": {200, 413, 422}, "/explain": {200, 404, 413, 422}}
"""Without trouble in the language model."""

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
NAMES = st.sampled_from(["red", "BLUE", "fiction", "no such"])
NEAR_MISSES = st.fixed_dictionaries(
    {"user_id": st.sampled_from([*USER_IDS, "42", 42]) | VALUES},
    optional={
        "item_id": st.sampled_from([*ITEM_IDS, *map(str, ITEM_IDS)]) | VALUES,
        "k": st.integers(-1, 102) | VALUES,
        "max_tokens": st.integers(-1, 258) | VALUES,
        "temperature": st.floats(-1, 3) | VALUES,
        "history": st.lists(st.sampled_from([*ITEM_IDS, "100", "none"])) | VALUES,
        "offset": st.integers(-1, 20) | VALUES,
        "exclude_seen": st.booleans() | VALUES,
        "exclude": st.lists(st.sampled_from([*ITEM_IDS, "none"])) | VALUES,
        "filter": st.dictionaries(st.sampled_from(["any", "all", "none"]), st.lists(NAMES)) | VALUES,
        "diversity": st.floats(-0.1, 1.1) | VALUES,
        "rerank": st.sampled_from(["none", "llm"]) | VALUES,
        "explain": st.integers(0, 10) | VALUES,
        "deadline_ms": st.integers(1, 100) | VALUES,
    },
)


@pytest.fixture(scope="module")
def started(store: Path) -> Iterator[tuple[asyncio.Runner, RunningApp]]:
    """One running application, and what runs its coroutines for a test that is none."""
    with asyncio.Runner() as runner, contextlib.ExitStack() as stop:
        context = running(Settings(store=store))
        service = runner.run(context.__aenter__())
        stop.callback(lambda: runner.run(context.__aexit__(None, None, None)))
        yield runner, service


@pytest.mark.parametrize("path", DOCUMENTED)
def test_any_json_gets_a_documented_answer(started, path):
    """Four hundred bodies, most of them nearly right: never a status beyond the documented ones."""
    runner, service = started

    @settings(max_examples=400, deadline=None)
    @given(body=NEAR_MISSES | VALUES)
    def ask(body: object) -> None:
        sent = json.dumps(body)  # Python's own, so NaN, lone surrogates and huge numbers are among them
        answer = runner.run(service.client.post(path, content=sent, headers={"content-type": "application/json"}))
        assert answer.status_code in DOCUMENTED[path], (sent, answer.text)
        assert "Traceback" not in answer.text

    ask()


@pytest.mark.parametrize("path", DOCUMENTED)
def test_any_bytes_get_a_documented_answer(started, path):
    """Whatever the content type says they are."""
    runner, service = started

    @settings(max_examples=200, deadline=None)
    @given(
        body=st.binary(max_size=200), content_type=st.sampled_from(["application/json", "text/plain", "", "x" * 300])
    )
    def ask(body: bytes, content_type: str) -> None:
        answer = runner.run(service.client.post(path, content=body, headers={"content-type": content_type}))
        assert answer.status_code in DOCUMENTED[path] - {200}, answer.text

    ask()
