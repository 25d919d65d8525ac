"""The smoke test, asked of the real service over a real socket: it passes, and it fails loudly."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from service.app import create_app
from service.errors import LanguageModelUnavailable
from service.settings import Settings
from service.versions import Versions
from tests.artifacts import tiny_artifact
from tests.fakes import FakeLanguageModel
from tests.live_server import live_in_thread
from tests.stack.smoke import main


@dataclass(frozen=True)
class Served:
    """The address of a service, and its language model."""

    url: str
    model: FakeLanguageModel


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The checkerboard behind a socket, in a thread."""
    store = tmp_path_factory.mktemp("smoke") / "store"
    tiny_artifact(store)
    model = FakeLanguageModel()
    with live_in_thread(create_app(Versions(Settings(store=store, llm_check_interval_s=60), lambda: model))) as url:
        yield Served(url, model)


def test_a_whole_service_passes(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check passes on the service as it is: none asks what it does not offer, none leaves out what it does."""
    status = main([served.url])
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert failed == []
    assert status == 0


def test_a_part_that_fails_is_named(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """With the language model failing, the check of explanations fails, says why, and so does the whole."""
    served.model.fault = LanguageModelUnavailable("out of order")
    try:
        status = main([served.url, "--only", "explain", "recommend"])
    finally:
        served.model.fault = None
    printed = capsys.readouterr().out
    assert status == 1
    assert "FAILED  explain: " in printed
    assert "1 of 2 checks FAILED: explain" in printed


def test_an_endpoint_that_no_check_asks_is_a_failure(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A route that comes later cannot be forgotten: OpenAPI lists it, and the smoke test says that it is not asked."""
    assert main([served.url, "--only", "every_endpoint"]) == 1
    assert "no check asks POST /recommend, " in capsys.readouterr().out


def test_nobody_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing listens, the wait ends and every check has failed."""
    assert main(["http://127.0.0.1:9", "--wait", "0"]) == 1
    assert "no answer" in capsys.readouterr().out
