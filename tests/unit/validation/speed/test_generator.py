"""The load generator: each scenario's meaning, and no coordinated omission."""

from __future__ import annotations

import gc
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from titian.validation.speed import generator
from titian.validation.speed.generator import generate
from titian.validation.speed.scenario import make_load


def nothing(_query, _samples):
    return None


def pause(seconds):
    def system(_query, _samples):
        time.sleep(seconds)

    return system


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream"])
def test_a_closed_loop_ends_when_both_minima_are_reached(scenario):
    few = generate(pause(0.002), make_load(scenario, min_duration_s=0.05, min_queries=1))
    assert few.min_duration_met
    assert few.scheduled_ns[-2] < 50_000_000 <= few.scheduled_ns[-1]
    many = generate(nothing, make_load(scenario, min_duration_s=0.0, min_queries=321))
    assert len(many) == 321
    assert many.min_queries_met


def test_single_stream_sends_the_next_query_after_the_last_answer():
    trace = generate(pause(0.001), make_load(min_duration_s=0.0, min_queries=20))
    assert (trace.issued_ns[1:] >= trace.done_ns[:-1]).all()
    assert (trace.latency_ns >= 1e6).all()


def test_multi_stream_asks_for_all_samples_at_once():
    asked = []
    load = make_load("multi-stream", min_duration_s=0.0, min_queries=5, samples_per_query=3)
    trace = generate(lambda query, samples: asked.append((query, samples)), load)
    assert asked == [(k, 3) for k in range(5)]
    assert trace.samples.tolist() == [3] * 5


def test_the_server_scenario_keeps_its_schedule_while_answers_are_out():
    gate = threading.Event()

    def system(query, _samples):
        if query == 0:
            gate.wait(0.2)

    load = make_load("server", target_qps=200.0, min_duration_s=0.2)
    trace = generate(system, load, workers=1)
    assert trace.answered.all()
    assert np.median(trace.delay_ns) < 20e6
    # One worker hangs for 0.2 s: whatever was due in the meantime waited, and that counts.
    waited = trace.latency_ns[1 : len(trace) // 2]
    expected = 200e6 - trace.scheduled_ns[1 : len(trace) // 2]
    assert (waited >= expected - 20e6).all()


def test_latency_counts_from_when_a_query_was_due_even_without_workers():
    def system(query, _samples):
        if query == 0:
            time.sleep(0.1)

    load = make_load("server", target_qps=500.0, min_duration_s=0.1)
    trace = generate(system, load, workers=0)
    late = trace.scheduled_ns < 50_000_000
    assert (trace.latency_ns[late] > 45e6).all()
    assert (trace.delay_ns[late][1:] > 45e6).all()


def test_several_workers_answer_at_the_same_time():
    load = make_load("server", target_qps=400.0, min_duration_s=0.3)
    alone = generate(pause(0.01), load, workers=1)
    together = generate(pause(0.01), load, workers=8)
    assert np.median(together.latency_ns) < np.median(alone.latency_ns) / 2


def test_offline_hands_over_all_samples_and_lasts_long_enough():
    seen = []
    load = make_load("offline", min_duration_s=0.2, min_queries=10)

    def system(_query, samples):
        seen.append(samples)
        time.sleep(0.002)

    trace = generate(system, load, workers=2, batch=4)
    assert trace.min_duration_met
    assert trace.min_queries_met
    assert (trace.scheduled_ns == 0).all()
    assert trace.samples.sum() <= sum(seen)
    assert set(seen) <= {1, 2, 3, 4}


def test_offline_is_repeated_with_more_samples_when_it_ends_too_soon(monkeypatch):
    monkeypatch.setattr(generator, "_calibrate", lambda _system, _batch: 1.0)
    trace = generate(pause(0.001), make_load("offline", min_duration_s=0.1, min_queries=1))
    assert trace.min_duration_met


def test_a_failed_query_has_no_answer_and_the_others_are_kept():
    def system(query, _samples):
        if query % 5 == 0:
            raise ValueError("out of luck\nwith details")

    trace = generate(system, make_load(min_duration_s=0.0, min_queries=20))
    assert trace.answered.sum() == 16
    assert np.isinf(trace.latency_ns).sum() == 4
    assert [(f.reason, f.count) for f in trace.failures] == [("out of luck", 4)]
    assert trace.cut == ""


@pytest.mark.parametrize(
    ("scenario", "options"), [("single-stream", {}), ("server", {"target_qps": 100.0})]
)
def test_a_system_that_is_gone_ends_the_run(scenario, options):
    def system(_query, _samples):
        raise ConnectionError

    trace = generate(system, make_load(scenario, min_duration_s=5.0, **options))
    assert trace.cut == "10 queries in a row had no answer"
    assert not trace.answered.any()
    assert trace.failures[0].reason == "ConnectionError"


def test_answers_that_never_come_count_as_missing(monkeypatch):
    monkeypatch.setattr(generator, "DRAIN_S", 0.05)
    gate = threading.Event()
    load = make_load("server", target_qps=100.0, min_duration_s=0.1)
    trace = generate(lambda _query, _samples: gate.wait(10), load, workers=1)
    gate.set()
    assert trace.cut == "answers were still out 0.05 s after the last query"
    assert not trace.answered.any()
    assert trace.failures[0].reason == "there was no answer before the run ended"


@pytest.mark.parametrize(
    ("scenario", "options"),
    [("single-stream", {}), ("server", {"target_qps": 50.0}), ("offline", {})],
)
def test_a_run_is_cut_off_at_its_longest(scenario, options):
    load = make_load(
        scenario, min_duration_s=0.05, max_duration_s=0.1, min_queries=10_000, **options
    )
    trace = generate(pause(0.01), load, workers=1)
    assert trace.cut == "the run was cut off after 0.1 s"
    assert not (trace.min_queries_met and trace.answered.all())


def test_progress_is_told():
    told = []
    load = make_load(min_duration_s=0.5, min_queries=1)
    generate(pause(0.001), load, progress=told.append)
    assert told
    assert all(0 <= share <= 1 for share in told)


def test_settings_of_the_interpreter_are_as_before():
    seen = []
    before = (sys.getswitchinterval(), gc.get_freeze_count())
    generate(
        lambda _query, _samples: seen.append((sys.getswitchinterval(), gc.get_freeze_count())),
        make_load(min_duration_s=0.0, min_queries=3),
    )
    assert seen[0][0] < before[0]
    assert seen[0][1] > 0
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


def test_nobody_waits_for_a_query_that_is_due_after_the_end():
    load = replace(
        make_load("server", target_qps=1.0, min_duration_s=0.1, min_queries=5),
        target_qps=0.001,
        max_duration_s=0.1,
    )
    trace = generate(nothing, load)
    assert len(trace.issued_ns) == 1  # the first is due at once
    assert trace.failures == ()
    assert trace.cut == "the run was cut off after 0.1 s"
