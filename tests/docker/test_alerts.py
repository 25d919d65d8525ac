"""The alert rules, judged by Prometheus' own tool."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from service.telemetry import Telemetry
from tests.docker.dashboards import ROOT, metric_names
from tests.prometheus_server import find_prometheus

FOLDER = ROOT / "docker" / "prometheus"


@pytest.fixture
def promtool() -> Path:
    """Prometheus' own checker; skips the test, saying so, where it cannot be had."""
    found = find_prometheus("promtool")
    if found is None:
        pytest.skip("no promtool: neither on PATH nor in Debian's package (make prometheus)")
    return found


@pytest.mark.parametrize(
    "command",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
)
def test_promtool_finds_nothing_wrong(promtool: Path, command: tuple[str, ...]) -> None:
    """Configuration and rules are valid, and each alert fires on its fault and on no other."""
    done = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_our_metrics_are_named_as_prometheus_would(promtool: Path) -> None:
    """Base units, help texts, no reserved suffixes: `promtool check metrics` has nothing to say."""
    done = subprocess.run([promtool, "check", "metrics"], input=Telemetry().exposition(), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_alert_is_tested_and_has_its_page() -> None:
    """A unit test sees it fire; docs/operate.md says under its name what it means and what to do."""
    rules = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    alerts = {rule["alert"]: rule for rule in rules if "alert" in rule}
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    assert fired == set(alerts)
    headings = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE))
    assert headings >= set(alerts)
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook"] == f"docs/operate.md#{name.lower()}"


def test_every_metric_has_its_line_in_the_manual() -> None:
    """docs/operate.md lists each of ours, and none that is no more."""
    families = {family.name: family.type for family in Telemetry().registry.collect()}
    ours = {
        name + ("_total" if kind == "counter" else "") for name, kind in families.items() if name.startswith("beat_")
    }
    listed = set(re.findall(r"^\| `(beat_\w+)`", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE))
    assert listed == ours


def test_alerts_ask_for_what_is_recorded_or_counted() -> None:
    """Every name in a rule is one of our metrics or one of the recording rules."""
    rules = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    suffixes = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
    known = {family.name + end for family in Telemetry().registry.collect() for end in suffixes[family.type]}
    known |= {rule["record"] for rule in rules if "record" in rule} | {"up"}
    assert {name for rule in rules for name in metric_names(rule["expr"])} - known == set()
