"""Metrics count failures as well as successes."""

import asyncio
import re
from pathlib import Path

import pytest

from model_store import ModelStore
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.telemetry import Telemetry
from tests.artifacts import tiny_artifact

MARGIN = {"mean": 0.5, "low": 0.25, "high": 0.75}
JUDGED = {
    "explanations": {
        "rows": 48,
        "controls": ["random"],
        "tokens_only": {"nll": {"true": 2.0}, "swap_margin": {"user": MARGIN}},
        "margins_by_group": {"user_swap_margin": {"gender M": MARGIN}},
    }
}


def test_a_stage_that_raises_is_timed_as_an_error():
    """Both outcomes are in the histogram, and both in the caller's timings."""
    telemetry, timings_ms = Telemetry(), dict[str, float]()
    with telemetry.stage("tokens", timings_ms):
        pass
    with pytest.raises(RuntimeError), telemetry.stage("decode", timings_ms):
        raise RuntimeError
    count = telemetry.registry.get_sample_value
    assert count("beat_stage_duration_seconds_count", {"stage": "tokens", "outcome": "ok"}) == 1
    assert count("beat_stage_duration_seconds_count", {"stage": "decode", "outcome": "error"}) == 1
    assert set(timings_ms) == {"tokens", "decode"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (LanguageModelUnavailable("gone"), "unavailable"),
        (LanguageModelTimeout(1.0), "timeout"),
        (Overloaded("it"), "overloaded"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (RuntimeError(), "error"),
    ],
)
def test_a_generation_s_outcome_is_told_by_what_it_raises(error, outcome):
    """Each way to end has its own name, and none stays in flight."""
    telemetry = Telemetry()
    value = telemetry.registry.get_sample_value
    try:
        with telemetry.generations(3):
            assert value("beat_engine_generations_in_flight") == 3
            if error is not None:
                raise error
    except BaseException as raised:
        if raised is not error:
            raise
    assert value("beat_engine_generations_total", {"outcome": outcome}) == 3
    assert value("beat_engine_generations_in_flight") == 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="prometheus-client reads process figures from /proc")
def test_the_process_s_memory_is_told():
    """The same name that every Prometheus dashboard knows."""
    assert (Telemetry().registry.get_sample_value("process_resident_memory_bytes") or 0) > 1e6


def test_a_new_version_takes_the_place_of_the_old_one(tmp_path):
    """Only the served one is shown, with its size and what its training measured."""
    judged, unjudged = tiny_artifact(tmp_path / "judged", metrics=JUDGED), tiny_artifact(tmp_path / "unjudged")
    telemetry = Telemetry()
    telemetry.set_artifact(ModelStore(tmp_path / "judged").load(judged).manifest)
    value = telemetry.registry.get_sample_value
    assert value("beat_artifact_swap_margin_nats", {"prompt": "tokens_only", "swap": "user", "bound": "low"}) == 0.25
    assert (value("beat_artifact_users"), value("beat_index_items")) == (8, 12)
    telemetry.set_artifact(ModelStore(tmp_path / "unjudged").load(unjudged).manifest)
    assert b"beat_artifact_swap_margin_nats{" not in telemetry.exposition()
    assert len(re.findall(rb"^beat_artifact_info\{", telemetry.exposition(), re.MULTILINE)) == 1


def test_the_breaker_is_in_one_state():
    """The states that it is not in are told too, as 0."""
    telemetry = Telemetry()
    telemetry.set_breaker("half_open")
    states = {
        state: telemetry.registry.get_sample_value("beat_breaker_state", {"state": state})
        for state in ("closed", "half_open", "open")
    }
    assert states == {"closed": 0, "half_open": 1, "open": 0}


def test_what_can_happen_stands_at_zero_before_it_happens():
    """A rate over a counter that appears with its first failure would miss that failure."""
    exposition = Telemetry().exposition().decode()
    for series in (
        'beat_explanations_total{source="template"}',
        'beat_cache_lookups_total{cache="explanations",result="hit"}',
        'beat_redis_failures_total{use="tokens"}',
        'beat_engine_generations_total{outcome="timeout"}',
        'beat_artifact_loads_total{outcome="error"}',
    ):
        assert f"{series} 0.0" in exposition
