"""Dashboard 1: how fast the service answers, where the time goes, and what goes wrong."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import StackingMode

from boards.dashboard import ROUTE, VERSION, Section, board
from boards.panels import lines, number, query, spread
from boards.promql import gauge, or_zero, quantile, rate, share_within, total

REQUESTS: Final = 'beat_request_duration_seconds{route=~"$route"}'
COUNT: Final = 'beat_request_duration_seconds_count{route=~"$route"}'
FAILED: Final = 'beat_request_duration_seconds_count{route=~"$route",status=~"5.."}'
REFUSED: Final = 'beat_request_duration_seconds_count{route=~"$route",status="429"}'
EXPLAINED: Final = 'beat_request_duration_seconds_bucket{route="/explain"}'
STAGES: Final = 'beat_stage_duration_seconds_sum{stage!="total"}'
IN_FLIGHT: Final = f"sum({gauge('(beat_requests_in_flight - 1)')})"
"""Less the scrape itself, which is in flight whenever it looks."""
QUANTILES: Final = (0.5, 0.95, 0.99)


def dashboard() -> model.Dashboard:
    """The dashboard."""
    return board(
        "beat-latency",
        "beat-serve 1: Service latency",
        "How fast each route answers, where the time goes, and what goes wrong.",
        (VERSION, ROUTE),
        (_at_a_glance(), _times(), _stages(), _errors(), _saturation(), _recommendations()),
    )


def _at_a_glance() -> Section:
    return (
        "At a glance",
        (
            number("Requests per second", "All chosen routes.", total(COUNT), unit="reqps"),
            number(
                "Failed",
                "Share of requests answered with a status of 500 or more.",
                f"({total(FAILED)} or 0 * {total(COUNT)}) / {total(COUNT)}",
                unit="percentunit",
                bounds=((0.01, "orange"), (0.05, "red")),
            ),
            number(
                "/recommend within 50 ms",
                "Objective: 99 % of them.",
                share_within("0.05", "beat_request_duration_seconds", 'route="/recommend"'),
                unit="percentunit",
            ),
            number(
                "/explain within 5 s",
                "Objective: 95 % of them.",
                share_within("5", "beat_request_duration_seconds", 'route="/explain"'),
                unit="percentunit",
            ),
            number("In flight", "Being answered now.", IN_FLIGHT, unit="short"),
            number(
                "Firing alerts",
                "What each means and what to do: docs/operate.md.",
                'count(ALERTS{alertstate="firing"}) or vector(0)',
                unit="short",
                bounds=((1, "red"),),
            ),
        ),
    )


def _times() -> Section:
    by_route = [
        lines(
            f"p{100 * q:.0f} by route",
            f"{100 * q:.0f} of 100 answers take at most this long, failed ones included.",
            query(quantile(q, REQUESTS, "route"), "{{route}}"),
            unit="s",
            log=True,
            many=True,
        )
        for q in QUANTILES
    ]
    first_token = [query(quantile(q, "beat_time_to_first_token_seconds"), f"p{100 * q:.0f}") for q in QUANTILES]
    return (
        "How long answers take",
        (
            *by_route,
            lines(
                "Time to first token",
                "From a request for an explanation to the first token of its text.",
                *first_token,
                unit="s",
                width=12,
            ),
            spread(
                "Explanations by time taken",
                "How many explanations a second took how long.",
                total(EXPLAINED, "le"),
                unit="s",
            ),
        ),
    )


def _stages() -> Section:
    return (
        "Where the time goes",
        (
            lines(
                "Time spent in each stage",
                "Seconds spent in a second, over all requests: the thickest band is what to make faster first.",
                query(total(STAGES, "stage"), "{{stage}}"),
                unit="s",
                width=12,
                many=True,
                stack=StackingMode.NORMAL,
            ),
            lines(
                "p95 by stage",
                "95 of 100 passes through the stage take at most this long, failed ones included.",
                query(quantile(0.95, "beat_stage_duration_seconds", "stage"), "{{stage}}"),
                unit="s",
                width=12,
                many=True,
                log=True,
            ),
        ),
    )


def _errors() -> Section:
    return (
        "Errors",
        (
            lines(
                "Answers by status",
                "All answers of the chosen routes.",
                query(total(COUNT, "status"), "{{status}}"),
                unit="reqps",
                many=True,
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Failed answers by route",
                "Statuses of 500 and more.",
                query(f"{total(FAILED, 'route')} or 0 * {total(COUNT, 'route')}", "{{route}}"),
                unit="reqps",
                seldom=True,
                many=True,
            ),
            lines(
                "Refused",
                "Requests that a caller's rate limit refused, and all answers with 429.",
                query(total("beat_rate_limited_requests_total"), "by rate limit"),
                query(f"{total(REFUSED)} or vector(0)", "all with 429"),
                unit="reqps",
                seldom=True,
            ),
        ),
    )


def _saturation() -> Section:
    return (
        "Saturation",
        (
            lines(
                "Requests at once",
                "In flight in the service, and waiting for a place in the engine's batch.",
                query(IN_FLIGHT, "in flight"),
                query(f"sum({gauge('beat_engine_queue_depth')})", "waiting for the engine"),
                unit="short",
            ),
            lines(
                "Processor",
                "Cores that each instance keeps busy.",
                query(rate("process_cpu_seconds_total"), "{{instance}}"),
                unit="short",
            ),
            lines(
                "Memory",
                "Resident memory of each instance.",
                query(gauge("process_resident_memory_bytes"), "{{instance}}"),
                unit="bytes",
            ),
        ),
    )


def _recommendations() -> Section:
    return (
        "Recommendations",
        (
            lines(
                "Fallbacks",
                "Recommendations that are not all of what was asked for, by reason.",
                query(total("beat_recommend_fallbacks_total", "reason"), "{{reason}}"),
                unit="reqps",
                many=True,
                seldom=True,
                width=12,
            ),
            lines(
                "Feedback",
                "Feedback events taken in a second, by kind.",
                query(or_zero(total("beat_feedback_events_total", "event"), "event"), "{{event}}"),
                unit="short",
                seldom=True,
                width=12,
            ),
        ),
    )
