"""What the dashboards have in common: variables, links to one another, layout, and their JSON."""

import json
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, VariableRefresh

from boards.panels import PROMETHEUS

TAG: Final = "beat-serve"
VERSION: Final = ("version", "Model version", "label_values(beat_artifact_info, version)")
ROUTE: Final = (
    "route",
    "Route",
    'label_values(beat_request_duration_seconds_count{route!~"/healthz|/readyz|/metrics|unmatched"}, route)',
)
Section = tuple[str, tuple[Builder[dashboard.Panel], ...]]
"""A heading and the panels under it, from left to right; a line is full at 24 columns."""


def board(
    uid: str, title: str, meaning: str, variables: tuple[tuple[str, str, str], ...], sections: tuple[Section, ...]
) -> dashboard.Dashboard:
    """A dashboard of the last quarter of an hour, fresh every ten seconds."""
    made = (
        Dashboard(title)
        .uid(uid)
        .description(meaning)
        .tags([TAG])
        .timezone("browser")
        .time("now-15m", "now")
        .refresh("10s")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            DashboardLink("beat-serve")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .include_vars(True)
            .keep_time(True)
        )
        .variables([_variable(*variable) for variable in variables])
    )
    for heading, panels in sections:
        made.with_row(Row(heading))
        for panel in panels:
            made.with_panel(panel)
    finished = made.build()
    for number, placed in enumerate(finished.panels or [], start=1):
        placed.id_val = number
    return finished


def to_json(finished: dashboard.Dashboard) -> str:
    """The dashboard as Grafana reads it; the same text for the same dashboard."""
    return json.dumps(finished, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variable(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    )
