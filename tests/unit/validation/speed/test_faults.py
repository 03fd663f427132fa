"""Planted slowness is caught, and would be missed by a careless timing."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from titian.validation.speed import checks
from titian.validation.speed.faults import controls, slow_path, stall
from titian.validation.speed.generator import generate
from titian.validation.speed.machine import look_at_machine
from titian.validation.speed.measurement import measure_speed
from titian.validation.speed.scenario import make_load
from titian.validation.speed.target import CallableTarget


def nothing(_query, _samples=1):
    return None


@pytest.fixture(scope="module")
def found():
    load = make_load(min_duration_s=0.0, min_queries=700, target_latency_ms=1_000)
    speed = measure_speed(CallableTarget(function=nothing), load)
    return replace(speed, before=replace(speed.before, load=0.0))


def codes(speed):
    return [finding.code for finding in checks.findings(speed)]


def test_both_planted_faults_are_caught(found):
    slow, stalled = controls(found, nothing)
    assert slow.found
    assert slow.fault.startswith("2% of the queries sleep ")
    assert slow.fault.endswith("(in the run's own system)")
    assert stalled.found
    assert stalled.detail.startswith("not met: p99 <= 5 ms does not hold: ")
    assert {slow.check, stalled.check} == {checks.BOUND_NOT_SHOWN}


def test_a_slow_system_is_replaced_by_one_that_does_nothing(found):
    slow = controls(replace(found, mean_ms=500.0), nothing)[0]
    assert slow.fault == ("2% of the queries sleep 10 ms (in one that does nothing)")
    assert slow.found


def test_the_slow_path_moves_neither_mean_nor_median_much():
    load = make_load(min_duration_s=0.0, min_queries=500)
    slowed = slow_path(nothing, pause_s=0.01, pause=time.sleep)
    latency = generate(slowed, load).latency_ns / 1e6
    assert np.median(latency) < 1.0
    assert latency.mean() < 2.0
    assert 10 <= (latency > 9).sum() < 20


def test_a_stall_is_one_slow_query_to_who_waits_for_answers():
    stalled = stall(nothing, stall_s=0.1, pause=time.sleep)
    closed = generate(stalled, make_load(min_duration_s=0.0, min_queries=500))
    opened = generate(
        stalled, make_load("server", target_qps=1_000.0, min_duration_s=0.5), workers=1
    )
    assert (closed.latency_ns > 50e6).sum() == 1
    assert (opened.latency_ns > 50e6).sum() > 20


def test_an_honest_run_has_no_findings(found):
    assert codes(found) == []


def test_a_bound_that_is_not_met_is_a_finding():
    def slow(_query):
        time.sleep(0.001)

    load = make_load(min_duration_s=0.0, min_queries=100, target_latency_ms=0.5)
    speed = measure_speed(CallableTarget(function=slow), load)
    finding = checks.findings(speed)[0]
    assert finding.code == "speed.bound_not_shown"
    assert finding.what == (
        "The latency bound is not met: p90 <= 0.5 ms does not hold: 100 of 100 queries took "
        "longer."
    )


def test_missing_answers_are_a_finding(found):
    trace = replace(found.trace, answered=np.arange(len(found.trace)) > 0)
    assert codes(replace(found, trace=trace)) == ["speed.unanswered"]


def test_answers_that_are_no_numbers_are_a_finding(found):
    assert codes(replace(found, finite=False)) == ["speed.not_finite"]


def test_a_late_generator_is_a_finding(found):
    late = replace(found.overhead, delay_p99_us=1_001.0)
    assert codes(replace(found, overhead=late)) == ["speed.generator_late"]
    assert codes(replace(found, overhead=late, mean_ms=100.0)) == []


def test_a_busy_machine_is_a_finding(found):
    busy = replace(look_at_machine(), load=100.0)
    assert codes(replace(found, before=busy)) == ["speed.machine_busy"]
