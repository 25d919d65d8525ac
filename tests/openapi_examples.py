"""Asks the real application over the checkerboard what the OpenAPI document shows: `python -m tests.openapi_examples`.

Writes service/openapi_examples.json. A test asks again and compares.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import orjson

from service.api_keys import make_key
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, tiny_artifact, unseen_rows
from tests.service.conftest import RunningApp, running

FILE = Path(__file__).parents[1] / "service" / "openapi_examples.json"
KEY = make_key("ops", "serve+admin")

ASKED: dict[str, dict[str, Any]] = {
    "POST /recommend": {"request": {"user_id": USER_IDS[0], "k": 2}},
    "POST /recommend/batch": {"request": {"user_ids": list(USER_IDS[:2]), "k": 1}},
    "POST /explain": {"request": {"user_id": USER_IDS[0], "item_id": ITEM_IDS[unseen_rows(0)[0]]}},
    "POST /items/{item_id}/similar": {"parameters": {"item_id": ITEM_IDS[0]}, "request": {"k": 2}},
    "GET /users/{user_id}/tokens": {"parameters": {"user_id": USER_IDS[0]}},
    "GET /users": {"parameters": {"query": "user-1", "limit": 5}},
    "GET /items": {"parameters": {"query": "Red", "limit": 2}},
    "GET /healthz": {},
    "GET /readyz": {},
    "POST /admin/reload": {"request": {"version": "latest"}},
}
"""By "METHOD /path", what is sent."""


async def ask(service: RunningApp, name: str) -> Any:
    """What the application answers, 200."""
    method, path = name.split()
    sent = ASKED[name]
    parameters = {key: str(value) for key, value in sent.get("parameters", {}).items()}
    for key, value in parameters.items():
        path = path.replace(f"{{{key}}}", value)
    query = {key: value for key, value in parameters.items() if f"{{{key}}}" not in name}
    answer = await service.client.request(
        method, path, params=query, json=sent.get("request"), headers={"authorization": f"Bearer {KEY.secret}"}
    )
    assert answer.status_code == 200, (name, answer.text)
    return answer.json()


def settings(store: Path) -> Settings:
    """Explanations come from the template, which is the same everywhere."""
    return Settings(store=store, llm="none", api_keys=KEY.entry, latest_check_interval_s=0)


async def write() -> None:
    """Ask everything and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        tiny_artifact(store)
        async with running(settings(store)) as service:
            examples = {name: {**ASKED[name], "response": await ask(service, name)} for name in ASKED}
    FILE.write_bytes(orjson.dumps(examples, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    asyncio.run(write())
