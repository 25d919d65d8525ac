"""The dashboards are what their source makes, fit on the screen, and ask for metrics that exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client.core import Metric

from service.telemetry import Telemetry
from tests.docker.dashboards import DASHBOARDS, ROOT, load, metric_names, questions

GRAFANA = ROOT / "docker" / "grafana"
COLUMNS = 24


def test_the_json_is_what_the_source_makes(tmp_path: Path) -> None:
    """Whoever changes one changes the other: `make dashboards`."""
    environment = {**os.environ, "PYTHONPATH": str(GRAFANA)}
    subprocess.run([sys.executable, "-m", "boards", str(tmp_path)], env=environment, check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in DASHBOARDS.iterdir()}
    assert len(made) == 3


@pytest.mark.parametrize("name", sorted(load()))
def test_panels_lie_beside_each_other(name: str) -> None:
    """No two share a place, none is beyond the right edge, no line has a gap."""
    taken: set[tuple[int, int]] = set()
    panels = load()[name]["panels"]
    for panel in panels:
        at = panel["gridPos"]
        area = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not area & taken, panel["title"]
        taken |= area
    rows = {y for _, y in taken}
    assert taken == {(x, y) for x in range(COLUMNS) for y in rows}
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_each_panel_says_what_it_shows_and_in_which_unit() -> None:
    """A number without a meaning is no information."""
    for name, dashboard in load().items():
        for panel in dashboard["panels"]:
            if panel["type"] == "row":
                continue
            assert panel["title"], name
            assert panel["description"], panel["title"]
            if panel["type"] in ("timeseries", "stat"):
                assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_the_chosen_version_and_route_matter_to_every_panel_of_ours() -> None:
    """A panel that shows all versions while one is chosen would mislead; vLLM, Redis and alerts know no version."""
    for question in questions():
        ours = {name for name in metric_names(question.expression) if name.startswith(("beat_", "process_"))}
        assert not ours or "$version" in question.expression, str(question)
    variables = {name: [v["name"] for v in board["templating"]["list"]] for name, board in load().items()}
    assert variables == {
        "beat-latency.json": ["version", "route"],
        "beat-explanations.json": ["version"],
        "beat-engine.json": ["version"],
    }


def test_every_metric_of_ours_that_a_panel_asks_for_exists() -> None:
    """By name, without a Prometheus: a renamed metric is noticed at once."""
    families: list[Metric] = list(Telemetry().registry.collect())
    suffixes = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
    known = {family.name + suffix for family in families for suffix in suffixes[family.type]}
    asked = {name for question in questions() for name in metric_names(question.expression)}
    assert {name for name in asked if name.startswith("beat_")} - known == set()


@pytest.mark.parametrize(("folder", "prefix"), [("vllm_metrics", "vllm:"), ("redis_metrics", "redis_")])
def test_every_metric_of_others_that_a_panel_asks_for_was_told_by_a_real_one(folder: str, prefix: str) -> None:
    """Their names change between releases."""
    lines = "\n".join(path.read_text() for path in (Path(__file__).parent / folder).glob("*.txt"))
    told = set(re.findall(r"^([\w:]+)", lines, re.MULTILINE))
    asked = {name for question in questions() for name in metric_names(question.expression)}
    asked = {name for name in asked if name.startswith(prefix)}
    assert asked
    assert asked - told == set()


def test_panels_ask_the_data_source_that_is_provisioned() -> None:
    """By its uid, in the folder that the provider names."""
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    uids = {
        source["uid"]
        for board in load().values()
        for panel in board["panels"]
        for source in [panel.get("datasource"), *(target["datasource"] for target in panel.get("targets", []))]
        if source
    }
    assert uids == {source["uid"] for source in sources}
