"""What README and docs/operate.md tell to type, from one's own tables to a service under load: run, in that order."""

import gzip
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from service.__main__ import app as beat_serve
from tests.artifacts import tiny_language_model
from tests.docs.pages import blocks, commands
from tests.redis_server import RedisServer
from tests.service_process import service_process
from tests.training.data.imports import forms
from training.__main__ import app as beat_train

PROGRAMS: dict[str, typer.Typer] = {"beat-serve": beat_serve, "beat-train": beat_train}
REDIS = "redis://127.0.0.1:6379/0"
"""Where the pages have theirs."""
SMALL = f"\n{forms.SMALL}max_texts = 2\n"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves a working folder with the tables and the config of README, and what its first command has published."""
    monkeypatch.chdir(tmp_path)
    packed = forms.write_plain(tmp_path / "my-data") / "interactions.csv.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()  # only `beat-train import` reads what is packed
    tiny_language_model(tmp_path / "llm")
    (config,) = [block.text for block in blocks("README.md") if block.language == "toml"]
    (tmp_path / "mine.toml").write_text(config + SMALL)
    assert "published mine-" in run(told("README.md", "beat-train run"))


def told(page: str, start: str) -> list[str]:
    """The words of the page's command that begins so; the last one where there are several."""
    typed = [re.sub(r"^(\.venv/bin/)", "", line) for line in commands(page)]
    return shlex.split([line for line in typed if line.startswith(start)][-1], comments=True)


def run(words: Sequence[str]) -> str:
    """What the program prints. AssertionError unless it ends well."""
    program, *arguments = words
    ended = CliRunner().invoke(PROGRAMS[program], arguments, env={"COLUMNS": "200"})
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def at(redis_server: RedisServer, words: Sequence[str]) -> list[str]:
    """The command with the tests' Redis in the place of the page's."""
    assert REDIS in words
    return [redis_server.url if word == REDIS else word for word in words]


@pytest.mark.slow
@pytest.mark.usefixtures("trained")
def test_from_own_tables_to_a_service_under_load(redis_server: RedisServer) -> None:
    """Trained, judged, published to Redis, served and asked, each by the page's own command."""
    assert "template" in run(told("README.md", "beat-train evaluate"))
    assert "20 users" in run(at(redis_server, told("README.md", "beat-serve publish")))
    _, _, *options = at(redis_server, told("README.md", "beat-serve run --redis"))
    with service_process(*options, **os.environ) as service:
        asked = run([*told("docs/operate.md", "beat-serve load"), "--seconds", "2", "--address", service.address])
    assert "recommend" in asked


def test_a_key_is_made_and_options_are_listed() -> None:
    """`new-key` prints the entry for BEAT_API_KEYS, `run --help` every setting as an option and a variable."""
    assert "ops:serve+admin:" in run(told("README.md", "beat-serve new-key"))
    shown = run(told("README.md", "beat-serve run --help"))
    assert {"--redis", "BEAT_REDIS", "--api-keys", "BEAT_API_KEYS"} <= set(re.findall(r"[-A-Za-z_]+", shown))
    assert "codebook_size" in run(["beat-train", "config"])
