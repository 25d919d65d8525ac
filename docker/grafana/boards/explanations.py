"""Dashboard 2: who writes the explanations, how well, and what the served model learned."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import StackingMode

from boards.dashboard import VERSION, Section, board
from boards.panels import facts, lines, number, query
from boards.promql import gauge, total

EXPLANATIONS: Final = "beat_explanations_total"
LOOKUPS: Final = "beat_cache_lookups_total"
GENERATED: Final = "beat_engine_generated_tokens_total"
WRITING: Final = 'beat_stage_duration_seconds_sum{stage="decode"}'
MARGIN: Final = "beat_artifact_swap_margin_nats"


def dashboard() -> model.Dashboard:
    """The dashboard."""
    return board(
        "beat-explanations",
        "beat-serve 2: Explanations",
        "Who writes the explanations, how well, and what the served model learned.",
        (VERSION,),
        (_at_a_glance(), _sources(), _writing(), _learnt()),
    )


def _share(source: str) -> str:
    chosen = f'{EXPLANATIONS}{{source="{source}"}}'
    return f"{total(chosen)} / {total(EXPLANATIONS)}"


def _margins(prompt: str) -> str:
    margin = gauge(f'{MARGIN}{{prompt="{prompt}"}}')
    return f"max by (swap, bound) ({margin})"


def _at_a_glance() -> Section:
    hits = total(f'{LOOKUPS}{{cache="explanations",result="hit"}}')
    asked = total(f'{LOOKUPS}{{cache="explanations"}}')
    margin = gauge(f'{MARGIN}{{prompt="tokens_only",swap="both",bound="mean"}}')
    return (
        "At a glance",
        (
            number("Explanations per second", "From every source.", total(EXPLANATIONS), unit="short"),
            number("By the LLM", "Share whose text the LLM wrote for this request.", _share("llm"), unit="percentunit"),
            number(
                "By the template",
                "Share whose text is the template's: true, and plainer. Above 20 % an alert fires.",
                _share("template"),
                unit="percentunit",
                bounds=((0.1, "orange"), (0.2, "red")),
            ),
            number(
                "Cache hits",
                "Share of look-ups in the cache of explanations that found one.",
                f"{hits} / {asked}",
                unit="percentunit",
            ),
            number("Tokens per second", "Written by the LLM.", total(GENERATED), unit="short"),
            number(
                "Swap margin",
                "How much likelier the LLM finds an explanation with the right user and item tokens than with another "
                "pair's, per text token. Measured when the served version was trained.",
                f"max({margin})",
                unit="short",
            ),
        ),
    )


def _sources() -> Section:
    return (
        "Where the texts come from",
        (
            lines(
                "Explanations by source",
                "llm: written now. cache: written before. template: the words of the evidence alone.",
                query(total(EXPLANATIONS, "source"), "{{source}}"),
                unit="short",
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Cache of explanations",
                "Look-ups in a second by result.",
                query(total(f'{LOOKUPS}{{cache="explanations"}}', "result"), "{{result}}"),
                unit="short",
                stack=StackingMode.NORMAL,
            ),
            lines(
                "Grounding failures",
                "Generated texts that were cut, tried again or replaced, by what was wrong with them.",
                query(total("beat_grounding_rejections_total", "reason"), "{{reason}}"),
                unit="short",
                many=True,
                seldom=True,
            ),
        ),
    )


def _writing() -> Section:
    prompts = total('beat_engine_generations_total{outcome="ok"}')
    return (
        "Writing",
        (
            lines(
                "Tokens",
                "Positions of prompts read, and tokens written, in a second.",
                query(total("beat_engine_prompt_tokens_total"), "read"),
                query(total(GENERATED), "written"),
                unit="short",
            ),
            lines(
                "Tokens of a text",
                "Tokens that a generation writes, on average.",
                query(f"{total(GENERATED)} / {prompts}", "written"),
                unit="short",
            ),
            lines(
                "Time of a token",
                "Time in the stage decode, by tokens written.",
                query(f"{total(WRITING)} / {total(GENERATED)}", "each token"),
                unit="s",
            ),
        ),
    )


def _learnt() -> Section:
    margins = [
        lines(
            f"Swap margin, {title}",
            f"{meaning} Mean and 95 % interval, nats per text token; above zero the LLM reads the tokens.",
            query(_margins(prompt), "{{swap}} {{bound}}"),
            unit="short",
            many=True,
            negative=True,
        )
        for prompt, title, meaning in (
            ("tokens_only", "tokens only", "The prompt holds nothing but behaviour tokens."),
            ("as_served", "as served", "The prompt holds title, text and past items too, which are not swapped."),
        )
    ]
    return (
        "What the served model learned",
        (
            *margins,
            facts(
                "Served versions",
                "One row an instance.",
                'beat_artifact_info{version=~"$version"}',
                first=("version", "instance", "language_model"),
                hide=("Time", "Value", "__name__", "job", "dataset"),
                width=8,
            ),
        ),
    )
