"""The command `beat-serve publish`."""

from typer.testing import CliRunner

from model_store import ModelStore
from service.__main__ import app
from service.settings import Settings
from tests.artifacts import NUM_USERS, USER_IDS, tiny_artifact
from tests.service.conftest import running


def _publish(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["publish", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


async def test_a_published_version_is_served_from_redis_without_a_miss(store, redis_server):
    """The command says what it wrote; the service that starts afterwards finds every user."""
    code, output = _publish("--redis", redis_server.url, "--store", str(store))
    assert code == 0, output
    assert f"{NUM_USERS} users written, {NUM_USERS} there" in output
    async with running(Settings(store=store, redis=redis_server.url, redis_timeout_ms=2000)) as service:
        for user_id in USER_IDS:
            await service.client.post("/recommend", json={"user_id": user_id})
        assert service.metric("beat_cache_lookups_total", cache="tokens", result="hit") >= NUM_USERS
        assert service.metric("beat_cache_lookups_total", cache="tokens", result="miss") == 0


def test_the_version_that_is_served_is_never_pruned(tmp_path, redis_server):
    """Pruning is refused before anything is written while another version is the latest."""
    root = tmp_path / "store"
    older = tiny_artifact(root)
    newer = tiny_artifact(root, dataset="newer")
    code, output = _publish("--redis", redis_server.url, "--store", str(root), "--version", older, "--prune")
    assert (code, newer in output) == (1, True)
    assert _publish("--redis", redis_server.url, "--store", str(root), "--version", older)[0] == 0
    code, output = _publish("--redis", redis_server.url, "--store", str(root), "--prune")
    assert code == 0
    assert "2 keys of other versions deleted" in output
    assert ModelStore(root).latest() == newer


def test_what_cannot_be_published_is_one_clear_line(tmp_path, store, redis_server):
    """No store, no Redis, no URL: exit status 1, no trace."""
    redis_server.stop()
    for arguments in (
        ("--redis", redis_server.url, "--store", str(tmp_path / "nothing")),
        ("--redis", redis_server.url, "--store", str(store)),
        ("--redis", "memory://", "--store", str(store)),
    ):
        code, output = _publish(*arguments)
        assert code == 1
        assert "not published:" in output
        assert "Traceback" not in output
