"""Ratios of one run find a slower system and leave an equal one alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.unit.validation.speed import models

from titian.statistics import Estimate
from titian.validation.speed.comparison import compare, hold, median_of
from titian.validation.speed.scenario import make_load
from titian.validation.speed.target import CallableTarget, open_target
from titian.values import Interval

LOAD = make_load(min_duration_s=0.0, min_queries=200)


def spin(microseconds, name="spin"):
    def wait(_query):
        end = time.perf_counter_ns() + microseconds * 1_000
        while time.perf_counter_ns() < end:
            pass

    return CallableTarget(function=wait, name=name)


def test_a_slower_system_is_not_met():
    found = compare(spin(150, "slow"), spin(100, "fast"), LOAD, max_ratio=1.2)
    assert (found.first, found.second, found.pairs) == ("slow", "fast", 200)
    assert found.ratio.value == pytest.approx(1.5, rel=0.1)
    assert found.status == "not met"


def test_an_equal_system_is_met():
    found = compare(spin(100), spin(100), LOAD, max_ratio=1.2)
    assert found.status == "met"
    assert found.ratio.intervals[0].low < 1.05


def test_without_a_limit_there_is_no_verdict():
    assert compare(spin(10), spin(10), LOAD).status == ""


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.9, 1.1, "met"), (1.0, 1.3, "not shown"), (1.21, 1.3, "not met"), (1.2, 1.2, "met")],
)
def test_the_whole_interval_decides(low, high, status):
    interval = Interval(alpha=0.05, low=low, high=high)
    assert hold(Estimate(value=1.0, n=9, intervals=(interval,)), 1.2) == status
    assert hold(Estimate(value=1.0, n=9), 1.2) == "not shown"


def test_the_gate_accuses_an_equal_system_in_at_most_five_percent():
    rng = np.random.default_rng(4)
    accused = [
        hold(median_of(np.exp(rng.normal(0, 0.3, 101)), alpha=0.05), 1.0) == "not met"
        for _ in range(400)
    ]
    assert np.mean(accused) <= 0.05


def test_models_are_compared_in_size_and_answers(tmp_path):
    small = open_target(models.linear(tmp_path / "small.onnx"))
    large = open_target(models.linear(tmp_path / "large.onnx", width=64))
    found = compare(small, large, LOAD)
    assert found.size_ratio < 1
    assert found.difference is None  # other inputs, so their answers are not comparable
    assert compare(small, small, LOAD).difference == 0.0


def test_pairs_without_an_answer_are_counted_apart():
    def now_and_then(query):
        if query % 4 == 0:
            raise ValueError("out of luck")

    found = compare(CallableTarget(function=now_and_then), spin(10), LOAD, max_ratio=9.0)
    assert found.pairs == 200
    assert [(f.reason, f.count) for f in found.failures] == [("out of luck", 67)]
    assert found.status == "met"


def test_a_system_that_is_gone_ends_the_comparison():
    def gone(_query):
        raise ConnectionError

    found = compare(CallableTarget(function=gone), spin(10), LOAD, max_ratio=9.0)
    assert (found.pairs, found.ratio.value, found.status) == (0, None, "not shown")
    assert found.ratio.reason == "no pair of queries was answered"
    assert found.failures[0].count == 10
