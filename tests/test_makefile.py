"""The commands that a newcomer and CI type."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` in the repository, as typed in a shell: also when `make test` runs this."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_every_command_the_readme_names_can_be_made() -> None:
    """Each `make X` of README is a target, and `make help` tells what it does."""
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", (ROOT / "README.md").read_text()))
    told = make("help").stdout

    assert {"demo", "test", "vllm", "test-vllm"} <= named
    assert {target for target in named if f"make {target} " not in told} == set()
    assert {target for target in named if make("--dry-run", target).returncode} == set()


def test_the_demo_stops_after_the_answers_only_when_asked() -> None:
    """DEMO_EXIT=1 adds --exit; without it, or with 0, the service goes on."""
    stops = {
        value: make("--dry-run", "demo", *value).stdout.rstrip().endswith("--exit")
        for value in ((), ("DEMO_EXIT=0",), ("DEMO_EXIT=1",))
    }
    assert stops == {(): False, ("DEMO_EXIT=0",): False, ("DEMO_EXIT=1",): True}


def test_without_a_python_that_is_new_enough_make_says_what_is_missing() -> None:
    """The message names the version and the way out, and nothing is left behind."""
    refused = make("install", "PYTHON=", "VENV=no-such-environment")

    assert refused.returncode != 0
    assert "needs Python 3.11 or newer" in refused.stderr
    assert not (ROOT / "no-such-environment").exists()
