"""The compose file says what docs/deploy.md promises, and .env.example what can be set."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = "beat-serve:"
PROFILES = ("", "vllm-cpu", "gpu")
LEFT_OPEN = {"REDIS_PASSWORD", "GRAFANA_PASSWORD", "BEAT_API_KEYS", "COMPOSE_PROFILES"}


def example() -> dict[str, str]:
    """Variables of .env.example with their values."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def variables(text: str) -> dict[str, set[str]]:
    """What is interpolated in a compose file: each variable with the defaults it is given."""
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"(?<!\$)\$\{([A-Z_]+)(?::-([^}]*)|:[?+][^}]*)?\}", text):
        found.setdefault(name, set()).update({default} - {""})
    return found


def test_the_example_holds_every_variable_with_its_default() -> None:
    """.env.example and the compose file name the same variables and the same defaults; what is left open has none."""
    defaults = {name: values for name, values in variables(COMPOSE).items() if name not in LEFT_OPEN}

    assert set(example()) == set(variables(COMPOSE))
    assert defaults == {name: {value} for name, value in example().items() if name not in LEFT_OPEN}
    assert {example()[name] for name in LEFT_OPEN} == {""}


def test_foreign_images_are_pinned_and_can_be_named_otherwise() -> None:
    """Every image that is not built here is a variable whose default has a version."""
    foreign = {name: s["image"] for name, s in SERVICES.items() if not s["image"].startswith(OURS)}

    assert set(foreign) == {"gateway", "redis", "redis-exporter", "vllm-gpu", "prometheus", "grafana"}
    assert {
        image for image in foreign.values() if not re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[^:]+:v?\d+\.\d+\.\d+.*\}", image)
    } == set()


@pytest.mark.parametrize("dockerfile", ["docker/Dockerfile", "docker/vllm/Dockerfile"])
def test_dockerfiles_build_on_the_base_of_the_example(dockerfile: str) -> None:
    """A build by hand takes the base that compose takes."""
    lines = (ROOT / dockerfile).read_text().splitlines()
    assert f"ARG PYTHON_IMAGE={example()['PYTHON_IMAGE']}" in lines
    assert f"ARG TORCH_INDEX={example()['TORCH_INDEX']}" in lines


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_bounded(name: str) -> None:
    """No container may grow without end, write to its root, gain rights or run as root."""
    service = SERVICES[name]

    assert "mem_limit" in service
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" in service or service["image"].startswith(OURS)  # ours: USER in the Dockerfile


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"trainer"}))
def test_what_runs_on_is_watched_and_comes_back(name: str) -> None:
    """Everything but the one-shot trainer has a health check and is started again when it ends."""
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_redis_and_vllm_are_out_of_reach() -> None:
    """They stand on an internal network and publish nothing; what is published is published on loopback."""
    internal = {
        name for name, network in yaml.safe_load(COMPOSE)["networks"].items() if (network or {}).get("internal")
    }

    inner = ("redis", "redis-exporter", "vllm-cpu", "vllm-gpu", "service")
    assert all(set(SERVICES[name]["networks"]) <= internal for name in inner)
    published = {port for service in SERVICES.values() for port in service.get("ports", ())}
    assert {port for port in published if not port.startswith("127.0.0.1:")} == set()


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
@pytest.mark.parametrize("profile", PROFILES)
def test_compose_takes_the_file(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose itself, which refuses unknown keys, accepts every profile."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose")
    for name, value in {"COMPOSE_PROFILES": profile, "REDIS_PASSWORD": "a", "GRAFANA_PASSWORD": "b"}.items():
        monkeypatch.setenv(name, value)

    taken = subprocess.run(
        ["docker", "compose", "--env-file", "/dev/null", "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (taken.returncode, taken.stderr) == (0, "")


def test_without_passwords_compose_says_what_to_do() -> None:
    """Every needed variable carries the way out in its message."""
    assert set(re.findall(r"\$\{[A-Z_]+:\?([^}]*)\}", COMPOSE)) == {"copy .env.example to .env and set it there"}


def test_the_build_sees_only_what_the_images_hold() -> None:
    """The Dockerfile copies nothing that .dockerignore keeps out."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert {
        source for source in copied if not any(source == path or source.startswith(f"{path}/") for path in allowed)
    } == set()
