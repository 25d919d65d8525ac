"""The Dockerfiles, judged by hadolint."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.dashboards import ROOT

HADOLINT = Path(sys.executable).with_name("hadolint")


@pytest.mark.parametrize("name", ["docker/Dockerfile", "docker/vllm/Dockerfile"])
def test_hadolint_finds_nothing_wrong(name: str) -> None:
    """No rule of it is broken, and none is switched off."""
    assert "hadolint ignore" not in (ROOT / name).read_text()
    judged = subprocess.run([HADOLINT, "--no-color", name], cwd=ROOT, capture_output=True, text=True)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")
