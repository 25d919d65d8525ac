"""Every request of docs/api.md is sent as it stands there, by a real curl, and answered as the page shows."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from model_store import Catalog, IdMap, Item
from service.api_keys import make_key
from service.app import create_app
from service.settings import Settings
from service.versions import Versions
from tests.artifacts import NUM_ITEMS, NUM_USERS, history_rows, tiny_artifact
from tests.docs.pages import blocks, programs
from tests.fakes import FakeLanguageModel
from tests.live_server import live_in_thread

PAGE, README = "docs/api.md", "README.md"
KEY = make_key("ops", "admin")
USERS = (42, 43, *range(1, NUM_USERS - 1))
ITEMS = (117, 50, 89, 172, 181, 127, 183, 210, *range(300, 304))
"""Of the demo's ids those that the page names, and some more."""


class Shown(NamedTuple):
    """A request of the page, and what stands there as its answer."""

    command: str
    answer: str


def shown() -> list[Shown]:
    """Every request; its answer is its comment, or the block that follows."""
    found = []
    page = blocks(PAGE)
    for at, block in enumerate(page):
        for line in block.text.splitlines() if block.language == "sh" else ():
            command, _, comment = line.partition("   #")
            found.append(Shown(command.strip(), comment or page[at + 1].text))
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a service that knows the page's users and items; its language model is a stand-in."""
    store = tmp_path_factory.mktemp("api") / "store"
    degree = np.bincount([row for user in range(NUM_USERS) for row in history_rows(user)], minlength=NUM_ITEMS)
    items = [Item(id, f"Star Tale {id}", f"A story, number {id}.", ("Action",)) for id in ITEMS]
    catalog = Catalog.from_items(IdMap.from_ids(ITEMS, kind="item"), items, degree)
    tiny_artifact(store, user_ids=IdMap.from_ids(USERS, kind="user"), catalog=catalog)
    settings = Settings(store=store, llm_check_interval_s=60, api_keys=KEY.entry)
    with live_in_thread(create_app(Versions(settings, FakeLanguageModel))) as url:
        yield url.removeprefix("http://")


def send(command: str, address: str, recommendation: str = "") -> str:
    """What a command of the page prints; the recommendation that it names becomes one that this service made."""
    typed = re.sub(r'("recommendation_id": )"[^"]*"', rf'\1"{recommendation}"', command)
    typed = typed.replace("curl ", "curl -q --silent --show-error ", 1).replace("localhost:8000", address)
    environment = {"PATH": os.environ["PATH"], "KEY": KEY.secret}
    sent = subprocess.run(["sh", "-c", typed], env=environment, capture_output=True, text=True, check=False)
    assert (sent.returncode, sent.stderr) == (0, ""), command
    return sent.stdout


def fields(text: str) -> set[str]:
    """Names of fields, of events too, wherever they stand; the texts may be shortened."""
    return set(re.findall(r'"(\w+)" *:', text)) | set(re.findall(r"^(event: \w+)", text, re.MULTILINE))


def test_the_page_asks_every_route(address: str) -> None:
    """One that it does not ask is not told of."""
    paths = {re.sub(r"/\d+", "/x", re.findall(r"localhost:8000(/[^ '?]*)", asked.command)[0]) for asked in shown()}
    offered = httpx.get(f"http://{address}/openapi.json").json()["paths"]
    assert paths == {re.sub(r"{\w+}", "x", path) for path in offered}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("asked", shown(), ids=lambda asked: asked.command[5:60])
def test_what_is_typed_is_answered_as_the_page_shows(asked: Shown, address: str) -> None:
    """Every field that the page shows is in the answer, and a failure comes only where the page shows one."""
    made = json.loads(send(shown()[0].command, address))["recommendation_id"]
    answer = send(asked.command, address, made)
    assert fields(asked.answer) - fields(answer) == set(), answer
    assert ("urn:beat-serve:problem" in answer) == ("urn:beat-serve:problem" in asked.answer or "409" in asked.answer)


@pytest.mark.parametrize("page", [PAGE, README])
def test_the_python_of_the_page_runs(page: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block as it stands there, against this service; it prints what it got."""
    assert programs(page)
    for program in programs(page):
        exec(compile(program.replace("127.0.0.1:8000", address), page, "exec"), {})
        assert capsys.readouterr().out.strip()
