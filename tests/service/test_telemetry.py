"""Metrics count failures as well as successes."""

from pathlib import Path

import pytest

from service.telemetry import Telemetry


def test_a_stage_that_raises_is_timed_as_an_error():
    """Both outcomes are in the histogram, and both in the caller's timings."""
    telemetry, timings_ms = Telemetry(), dict[str, float]()
    with telemetry.stage("good", timings_ms):
        pass
    with pytest.raises(RuntimeError), telemetry.stage("bad", timings_ms):
        raise RuntimeError
    count = telemetry.registry.get_sample_value
    assert count("beat_stage_seconds_count", {"stage": "good", "outcome": "ok"}) == 1
    assert count("beat_stage_seconds_count", {"stage": "bad", "outcome": "error"}) == 1
    assert set(timings_ms) == {"good", "bad"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="prometheus-client reads process figures from /proc")
def test_the_process_s_memory_is_told():
    """The same name that every Prometheus dashboard knows."""
    assert (Telemetry().registry.get_sample_value("process_resident_memory_bytes") or 0) > 1e6


def test_a_new_version_takes_the_place_of_the_old_one():
    """Only the served one is shown."""
    telemetry = Telemetry()
    telemetry.set_artifact("v1", "movies", "tiny")
    telemetry.set_artifact("v2", "movies", "tiny")
    assert b'version="v1"' not in telemetry.exposition()
    assert b'version="v2"' in telemetry.exposition()
