"""What is asked of a system is checked as a whole, before anything runs."""

from __future__ import annotations

import pytest

from titian.errors import InputError
from titian.validation.speed.scenario import Scenario, make_load


@pytest.mark.parametrize(
    ("scenario", "percentile", "samples"),
    [("single-stream", 0.9, 1), ("multi-stream", 0.99, 8), ("offline", 0.99, 1)],
)
def test_each_scenario_has_loadgens_defaults(scenario, percentile, samples):
    load = make_load(scenario)
    assert (load.percentile, load.samples_per_query) == (percentile, samples)
    assert (load.min_queries, load.min_duration_s) == (100, 10.0)


def test_a_percentile_is_given_in_percent():
    load = make_load("server", 99.9, target_qps=10.0)
    assert load.scenario is Scenario.SERVER
    assert load.percentile == pytest.approx(0.999)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InputError) as refused:
        make_load("burst", 100, target_qps=5.0, min_queries=0, seed=-1)
    assert str(refused.value) == (
        "T-V161: scenario 'burst' is unknown; known are single-stream, multi-stream, server, "
        "offline. Name one of them.\n"
        "T-V160: percentile 100 is not between 0 and 100. Give the percentile in percent, such "
        "as 90, 99 or 99.9.\n"
        "T-V162: min-queries is 0; it is between 1 and 50,000,000. Give another number.\n"
        "T-V162: seed is -1; it is at least 0. Give another number.\n"
        "T-V163: target-qps belongs to the server scenario, not to single-stream. Change the "
        "scenario or the option."
    )


@pytest.mark.parametrize(
    ("scenario", "options", "message"),
    [
        ("server", {}, "the server scenario needs target-qps"),
        (
            "server",
            {"target_qps": 9e5, "min_duration_s": 100.0},
            "more than 50,000,000 queries",
        ),
        (
            "single-stream",
            {"samples_per_query": 4},
            "samples-per-query belongs to multi-stream",
        ),
        ("offline", {"target_qps": 4.0}, "target-qps belongs to the server scenario"),
    ],
)
def test_an_option_of_another_scenario_is_refused(scenario, options, message):
    with pytest.raises(InputError, match=message):
        make_load(scenario, **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_bound_that_is_no_positive_number_is_refused(value):
    with pytest.raises(InputError, match=r"^T-V162: target-latency-ms is"):
        make_load("single-stream", target_latency_ms=value)
