"""Sections of dashboard 3: the stores behind the service, and what Redis says of itself."""

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from boards.dashboard import Section
from boards.panels import lines, query
from boards.promql import gauge, quantile, total

QUANTILES: Final = (0.5, 0.95, 0.99)
INTERVAL: Final = "[$__rate_interval]"
UPKEEP: Final = "auth|hello|ping|info|(client|config|latency|slowlog|command|module).*"
"""Commands of connections and of the exporter: none of them serves a request."""


def stores() -> Section:
    """What the service tells of its stores."""
    return (
        "Stores",
        (
            lines(
                "Token look-ups",
                "In Redis, or in the process where there is none; error: Redis did not answer.",
                query(total('beat_cache_lookups_total{cache="tokens"}', "result"), "{{result}}"),
                unit="short",
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Redis failures",
                "Calls that failed in a second, by what they were for.",
                query(total("beat_redis_failures_total", "use"), "{{use}}"),
                unit="short",
                many=True,
                seldom=True,
            ),
            lines(
                "Time for a user's tokens",
                "The stage tokens, Redis included.",
                *(
                    query(quantile(q, 'beat_stage_duration_seconds{stage="tokens"}'), f"p{100 * q:.0f}")
                    for q in QUANTILES
                ),
                unit="s",
            ),
            lines(
                "Size of the served version",
                "Users that it knows, and items in its index.",
                query(f"max({gauge('beat_artifact_users')})", "users"),
                query(f"max({gauge('beat_index_items')})", "items"),
                unit="short",
            ),
            lines(
                "Index",
                "Size of the index file; 0 where the index is made at start.",
                query(f"max({gauge('beat_index_size_bytes')})", "index"),
                unit="bytes",
            ),
            lines(
                "Versions asked to be served",
                "By outcome, in a second; error: refused, and the former one goes on.",
                query(total("beat_artifact_loads_total", "outcome"), "{{outcome}}"),
                unit="short",
                seldom=True,
            ),
        ),
    )


def redis() -> Section:
    """What the exporter beside Redis tells."""
    commands = f'redis_commands_total{{cmd!~"{UPKEEP}"}}'
    spent = f'redis_commands_duration_seconds_total{{cmd!~"{UPKEEP}"}}'
    return (
        "Redis, as it sees itself",
        (
            lines(
                "Memory",
                "In use, and the limit: beyond it, what expires is forgotten first.",
                query("sum(redis_memory_used_bytes)", "used"),
                query("sum(redis_memory_max_bytes)", "limit"),
                unit="bytes",
            ),
            lines(
                "Keys",
                "All, and those that expire: tokens and explanations. Feedback stays.",
                query("sum(redis_db_keys)", "all"),
                query("sum(redis_db_keys_expiring)", "expire"),
                unit="short",
            ),
            lines(
                "Keys forgotten",
                "In a second: expired in their time, or evicted because memory was short.",
                query(f"sum(rate(redis_expired_keys_total{INTERVAL}))", "expired"),
                query(f"sum(rate(redis_evicted_keys_total{INTERVAL}))", "evicted"),
                unit="short",
                seldom=True,
            ),
            lines(
                "Commands",
                "In a second, without those that keep up connections.",
                query(f"sum by (cmd) (rate({commands}{INTERVAL}))", "{{cmd}}"),
                unit="ops",
                many=True,
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Time of a command",
                "Spent in Redis itself, on average: no network, no waiting.",
                query(f"sum by (cmd) (rate({spent}{INTERVAL})) / sum by (cmd) (rate({commands}{INTERVAL}))", "{{cmd}}"),
                unit="s",
                many=True,
            ),
            lines(
                "Connections",
                "Open now, those of the exporter included.",
                query("sum(redis_connected_clients)", "open"),
                unit="short",
            ),
        ),
    )
