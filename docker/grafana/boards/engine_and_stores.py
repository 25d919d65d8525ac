"""Dashboard 3: the language model, seen from the service and from vLLM. What stores it has: `boards.stores`."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import StackingMode

from boards.dashboard import VERSION, Section, board
from boards.panels import lines, query, spread, states
from boards.promql import gauge, mean, total
from boards.stores import redis, stores

QUANTILES: Final = (0.5, 0.95, 0.99)
INTERVAL: Final = "[$__rate_interval]"


def dashboard() -> model.Dashboard:
    """The dashboard."""
    return board(
        "beat-engine",
        "beat-serve 3: Engine and stores",
        "The language model, seen from the service and from vLLM, and the stores behind them.",
        (VERSION,),
        (_parts(), _engine(), _batch(), _vllm_load(), _vllm_times(), stores(), redis()),
    )


def _parts() -> Section:
    return (
        "Is it there",
        (
            states(
                "Parts that answer",
                "No while any instance finds that the part does not answer.",
                query(f"min by (part) ({gauge('beat_part_up')})", "{{part}}"),
                no="red",
                yes="green",
            ),
            states(
                "Circuit breaker",
                "The state that the breaker before the language model is in, at any instance.",
                query(f"max by (state) ({gauge('beat_breaker_state')})", "{{state}}"),
                no="transparent",
                yes="blue",
            ),
        ),
    )


def _engine() -> Section:
    return (
        "The language model, seen from the service",
        (
            lines(
                "Generations by outcome",
                "Ended in a second.",
                query(total("beat_engine_generations_total", "outcome"), "{{outcome}}"),
                unit="short",
                many=True,
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Generations at once",
                "Under way, those that wait for a place in the batch included.",
                query(f"sum({gauge('beat_engine_generations_in_flight')})", "under way"),
                query(f"sum({gauge('beat_engine_queue_depth')})", "waiting"),
                unit="short",
            ),
            lines(
                "Tokens",
                "Read and written in a second.",
                query(total("beat_engine_prompt_tokens_total"), "read"),
                query(total("beat_engine_generated_tokens_total"), "written"),
                unit="short",
            ),
        ),
    )


def _batch() -> Section:
    return (
        "The batch in the service's process (without a vLLM server only)",
        (
            lines(
                "Batch size",
                "Prompts that share one step of the model, on average.",
                query(mean("beat_engine_batch_size"), "prompts"),
                unit="short",
            ),
            spread(
                "Steps by batch size",
                "Steps of the model in a second, by the prompts that shared them.",
                total("beat_engine_batch_size_bucket", "le"),
                unit="short",
                width=16,
            ),
        ),
    )


def _vllm_load() -> Section:
    return (
        "vLLM: load (with a vLLM server only)",
        (
            lines(
                "Requests",
                "In the running batch, and waiting for a place in it.",
                query("sum(vllm:num_requests_running)", "running"),
                query("sum(vllm:num_requests_waiting)", "waiting"),
                unit="short",
            ),
            lines(
                "Tokens",
                "Read and written in a second.",
                query(f"sum(rate(vllm:prompt_tokens_total{INTERVAL}))", "read"),
                query(f"sum(rate(vllm:generation_tokens_total{INTERVAL}))", "written"),
                unit="short",
            ),
            lines(
                "Finished requests",
                "In a second, by why they ended.",
                query(f"sum by (finished_reason) (rate(vllm:request_success_total{INTERVAL}))", "{{finished_reason}}"),
                unit="reqps",
                many=True,
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Key-value cache",
                "Share in use. Near 1, requests are put back and start anew.",
                query("max by (instance) (vllm:kv_cache_usage_perc)", "{{instance}}"),
                unit="percentunit",
                top=1,
            ),
            lines(
                "Prefix cache",
                "Share of prompt positions found in the cache: the constant beginning of our prompts.",
                query(
                    f"sum(rate(vllm:prefix_cache_hits_total{INTERVAL})) / "
                    f"sum(rate(vllm:prefix_cache_queries_total{INTERVAL}))",
                    "found",
                ),
                unit="percentunit",
                top=1,
            ),
            lines(
                "Preemptions",
                "Requests put back for want of room in the key-value cache, in a second.",
                query(f"sum(rate(vllm:num_preemptions_total{INTERVAL}))", "put back"),
                unit="short",
                seldom=True,
            ),
        ),
    )


def _vllm_times() -> Section:
    panels = (
        (
            "Time to first token",
            "Seen by vLLM: its queue and the reading of the prompt.",
            "time_to_first_token_seconds",
        ),
        ("Time between tokens", "From one token of a text to the next.", "inter_token_latency_seconds"),
        ("Whole requests", "From arrival to the last token.", "e2e_request_latency_seconds"),
    )
    return (
        "vLLM: times (with a vLLM server only)",
        tuple(
            lines(
                title,
                meaning,
                *(
                    query(
                        f"histogram_quantile({q}, sum by (le) (rate(vllm:{name}_bucket{INTERVAL})))", f"p{100 * q:.0f}"
                    )
                    for q in QUANTILES
                ),
                unit="s",
            )
            for title, meaning, name in panels
        ),
    )
