"""Panels as this project draws them: one look, a unit on every axis, a sentence behind every title."""

from typing import Final

from grafana_foundation_sdk.builders import common, heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
"""Named in provisioning/datasources/prometheus.yml."""
BRIDGED_MS: Final = 60_000.0
"""A line goes on over a gap as long as this, in milliseconds; over a longer one it would tell of what nobody saw."""
HEIGHT: Final = 9
"""Of everything but single numbers: three rows fit into the legend."""
Bounds = tuple[tuple[float, str], ...]
"""From which value on which colour; below the first one it is green."""


def query(expression: str, legend: str = "") -> prometheus.Dataquery:
    """A query over the dashboard's time range; `legend` names the series, {{label}} by its labels."""
    return prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").range().datasource(PROMETHEUS)


def lines(
    title: str,
    meaning: str,
    *queries: prometheus.Dataquery,
    unit: str,
    width: int = 8,
    log: bool = False,
    stack: StackingMode = StackingMode.NONE,
    top: float | None = None,
    seldom: bool = False,
    many: bool = False,
    negative: bool = False,
) -> timeseries.Panel:
    """Values over time. `log` for those that span orders of magnitude, `stack` for the parts of a whole.

    The axis begins at zero unless values can be `negative`; of what happens `seldom` it does not reach to 100 while all
    is zero. A legend of `many` is names alone: there is no room for their figures.
    """
    stacked = stack != StackingMode.NONE
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(width)
        .height(HEIGHT)
        .line_width(0 if stacked else 2)
        .fill_opacity(70 if stacked else 0 if negative else 6)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(BRIDGED_MS)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST if many else LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([] if many else ["lastNotNull", "max"])
        )
        .stacking(common.StackingConfig().mode(stack))
        .targets(_named(queries))
    )
    if log:
        panel.scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))
    elif not negative:
        panel.min(0)
    if seldom:
        panel.axis_soft_max(0.1)
    if top is not None:
        panel.max(top)
    return panel


def number(title: str, meaning: str, expression: str, *, unit: str, bounds: Bounds = (), width: int = 4) -> stat.Panel:
    """One number, the last one, with its past behind it."""
    return (
        stat.Panel()
        .title(title)
        .description(meaning)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(width)
        .height(4)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(bounds))
        .targets(_named((query(expression),)))
    )


def states(
    title: str, meaning: str, *queries: prometheus.Dataquery, no: str, yes: str, width: int = 12
) -> statetimeline.Panel:
    """Bands of no (0) and yes (1) over time, each in its colour."""
    mapping = {"0": ValueMappingResult(text="no", color=no), "1": ValueMappingResult(text="yes", color=yes)}
    return (
        statetimeline.Panel()
        .title(title)
        .description(meaning)
        .datasource(PROMETHEUS)
        .span(width)
        .height(HEIGHT)
        .line_width(0)
        .fill_opacity(70)
        .mappings([ValueMap(options=mapping)])
        .color_scheme(FieldColor().mode(FieldColorModeId.FIXED))
        .targets(_named(queries))
    )


def spread(title: str, meaning: str, expression: str, *, unit: str, width: int = 12) -> heatmap.Panel:
    """A histogram over time; the expression keeps the label `le` and counts in each step."""
    buckets = query(expression, "{{le}}").format(PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(meaning)
        .datasource(PROMETHEUS)
        .span(width)
        .height(HEIGHT)
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(AxisPlacement.LEFT))
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .targets(_named((buckets,)))
    )


def facts(
    title: str, meaning: str, expression: str, *, first: tuple[str, ...], hide: tuple[str, ...], width: int = 12
) -> table.Panel:
    """The labels of what there is now, one row a series: the columns in `first`, the others but those in `hide`."""
    asked = query(expression).instant().format(PromQueryFormat.TABLE)
    order = {name: place for place, name in enumerate(first)}
    columns = {"excludeByName": dict.fromkeys(hide, True), "indexByName": order}
    return (
        table.Panel()
        .title(title)
        .description(meaning)
        .datasource(PROMETHEUS)
        .span(width)
        .height(HEIGHT)
        .with_transformation(DataTransformerConfig("organize", options=columns))
        .targets(_named((asked,)))
    )


def _named(queries: tuple[prometheus.Dataquery, ...]) -> list[Builder[Dataquery]]:
    return [asked.ref_id(chr(ord("A") + place)) for place, asked in enumerate(queries)]


def _thresholds(bounds: Bounds) -> ThresholdsConfig:
    steps = [Threshold(value=None, color="green"), *(Threshold(value=value, color=color) for value, color in bounds)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
