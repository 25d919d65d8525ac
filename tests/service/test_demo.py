"""The demo: whom it asks for, what it prints, how it ends."""

import io
import re
import socket
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from model_store import ModelStore
from model_store.errors import ArtifactNotFound
from service.demo import choose_users, run_demo
from tests.artifacts import COLOURS, tiny_artifact


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkerboard, to be served without a language model: explanations come from the template."""
    monkeypatch.setenv("BEAT_LLM", "none")
    tiny_artifact(tmp_path / "store")
    return tmp_path / "store"


def test_three_different_users_are_asked_for_with_their_own_past(store: Path) -> None:
    """A red user's past is red, a blue user's blue, and all four liked items are counted."""
    artifact = ModelStore(store).load("latest")
    users = choose_users(artifact)

    assert len({user.user_id for user in users}) == 3
    for user in users:
        colour = COLOURS[artifact.user_ids.to_row(user.user_id) % 2].capitalize()
        assert user.num_past == len(user.past_titles) == 4
        assert all(title.startswith(colour) for title in user.past_titles)


def test_the_demo_prints_an_answer_for_each_user_and_leaves_nothing_running(store: Path) -> None:
    """With the port taken it serves on another one, and stops after the answers."""
    printed = io.StringIO()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run_demo(store, port, leave_running=False, console=Console(file=printed, width=120))

    text = printed.getvalue()
    for user in choose_users(ModelStore(store).load("latest")):
        assert f"user {user.user_id}" in text
    assert text.count("source: template") == 3
    assert text.count("evidence: liked") == 3
    address = re.findall(r"ready at (http://\S+)", text)[0]
    assert address != f"http://127.0.0.1:{port}"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


def test_without_a_published_version_the_demo_says_so(tmp_path: Path) -> None:
    """An empty store is the store's own error, before any process is started."""
    with pytest.raises(ArtifactNotFound):
        run_demo(tmp_path, 0, leave_running=False, console=Console(file=io.StringIO()))
