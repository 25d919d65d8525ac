"""The OpenAPI document: kept in the repository, current, and with examples that are true."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.__main__ import app
from service.openapi import Api, document_bytes, examples
from tests.openapi_examples import ASKED, ask, settings
from tests.service.conftest import running

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"
PASSING = {"recommendation_id", "timings_ms", "created_at", "seconds"}
"""What differs from answer to answer."""


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(part) for name, part in value.items() if name not in PASSING}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


def test_the_kept_document_is_current():
    """`make openapi` writes it anew after a route or a schema has changed."""
    assert KEPT.read_bytes() == document_bytes()


def test_the_command_writes_the_document(tmp_path):
    """To the named file, or to standard output."""
    assert CliRunner().invoke(app, ["openapi", "--output", str(tmp_path / "api.json")]).exit_code == 0
    assert (tmp_path / "api.json").read_bytes() == document_bytes()
    assert CliRunner().invoke(app, ["openapi"]).stdout_bytes == document_bytes()


@pytest.mark.parametrize("name", ASKED)
async def test_an_example_is_what_the_application_answers(store, name):
    """Asked anew of the real application over the same toy artifact; only ids, times and durations differ."""
    example = examples()[name]
    assert {key: value for key, value in example.items() if key != "response"} == ASKED[name]
    async with running(settings(store)) as service:
        assert _lasting(await ask(service, name)) == _lasting(example["response"])


def test_the_document_shows_the_examples():
    """Requests, parameters and answers."""
    paths = Api(admin=True).openapi()["paths"]
    shown = paths["/recommend"]["post"]
    example = examples()["POST /recommend"]
    assert shown["requestBody"]["content"]["application/json"]["example"] == example["request"]
    assert shown["responses"]["200"]["content"]["application/json"]["example"] == example["response"]
    assert paths["/users/{user_id}/tokens"]["get"]["parameters"][0]["example"] == "user-0"


def test_keys_are_documented_where_they_are_asked_for():
    """Always for admin routes, where keys are set for the others, never for health."""
    paths = Api(admin=True).openapi()["paths"]
    assert paths["/admin/reload"]["post"]["security"] == [{"key": []}]
    assert paths["/recommend"]["post"]["security"] == [{}, {"key": []}]
    assert "security" not in paths["/healthz"]["get"]
    assert {"401", "403", "429"} <= set(paths["/users"]["get"]["responses"])
    assert "401" not in paths["/healthz"]["get"]["responses"]
