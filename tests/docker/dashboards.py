"""What the tests read out of the dashboards' JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "docker" / "grafana" / "dashboards"


@dataclass(frozen=True)
class Question:
    """One query of one panel."""

    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel}: {self.expression}"


def load() -> dict[str, dict[str, Any]]:
    """Every committed dashboard by its file's name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def questions() -> Iterator[Question]:
    """Every query of every panel, as written."""
    for name, dashboard in load().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield Question(name, panel["title"], target["expr"])


def metric_names(expression: str) -> set[str]:
    """Names of metrics and recording rules in a PromQL expression: what stands outside quotes and label lists."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\b(?:by|on|group_left)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"\b(?:beat_\w+|beat:[\w:]+|vllm:\w+|redis_\w+|process_\w+|ALERTS|up)\b", bare))
