"""A run with everything around it: overhead, resources, machine, sweep and pictures."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.validation.speed import models

from titian.dossier.svg import SCREEN, draw
from titian.validation.speed import machine, measurement, overhead, resources
from titian.validation.speed.figures import latency_figure, layers_figure, sweep_figure
from titian.validation.speed.measurement import measure_speed
from titian.validation.speed.scenario import make_load
from titian.validation.speed.sweep import sweep
from titian.validation.speed.target import CallableTarget, open_target


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    return open_target(models.linear(tmp_path_factory.mktemp("m") / "m.onnx", 64, repeats=4))


def quick(scenario="single-stream", **options):
    return make_load(scenario, **{"min_duration_s": 0.1, "min_queries": 700} | options)


def test_a_run_reports_every_part(target):
    found = measure_speed(target, quick(target_latency_ms=1e4, percentile=99))
    assert found.verdict.status == "met"
    assert found.verdict.detail == (
        f"p99 <= 10000 ms holds at 99 % confidence: 0 of {len(found.trace):,} queries took "
        "longer"
    )
    assert [share for share, _ in found.latency] == [0.5, 0.9, 0.95, 0.97, 0.99, 0.999]
    assert found.early_stopping.latency_ns <= found.trace.latency_ns.max()
    assert found.throughput.value > 0
    assert found.resources.cpu_s > 0
    assert found.work.parameters == 3 * 64 * 64 + 64 * 3 + 3
    assert found.overhead.empty_p50_us < 1e3 * found.mean_ms
    assert (found.kind, found.threads, found.workers) == ("onnxruntime", 1, 1)


@pytest.mark.parametrize(
    ("scenario", "options"),
    [("multi-stream", {}), ("server", {"target_qps": 2_000.0}), ("offline", {})],
)
def test_every_scenario_is_measured(target, scenario, options):
    found = measure_speed(target, quick(scenario, **options), workers=2)
    assert found.trace.answered.all()
    assert found.throughput.value > 0
    assert (found.early_stopping is None) == (scenario == "offline")
    assert found.workers == (1 if scenario == "multi-stream" else 2)


def test_a_slow_tail_is_not_met_and_a_short_run_is_not_shown():
    def slow(query):
        if query % 20 == 0:
            time.sleep(0.003)

    found = measure_speed(
        CallableTarget(function=slow), quick(target_latency_ms=2, percentile=99)
    )
    assert found.verdict.status == "not met"
    assert found.verdict.detail.startswith("p99 <= 2 ms does not hold: ")
    assert found.bound.over >= 35
    short = measure_speed(
        CallableTarget(function=lambda _: None),
        make_load(target_latency_ms=50, percentile=99, min_duration_s=0.0, min_queries=100),
    )
    assert short.verdict.status == "not shown"
    assert short.verdict.detail.endswith(
        "; 359 more queries, all within the bound, would show it"
    )


def test_a_run_that_was_cut_shows_nothing():
    def fail(query):
        if query > 600:
            raise OSError

    load = make_load(
        target_latency_ms=50, percentile=90, min_duration_s=0.0, min_queries=10_000
    )
    found = measure_speed(CallableTarget(function=fail), load)
    assert found.verdict.status == "not shown"
    assert found.verdict.detail == (
        "p90 <= 50 ms: 10 queries in a row had no answer; the smallest number of queries was "
        "not reached"
    )


def test_offline_takes_the_batch_that_is_asked_for(target):
    found = measure_speed(target, quick("offline"), batch=16, workers=1)
    assert found.batch == 16
    assert set(found.trace.samples[:-1].tolist()) <= {16}


def test_own_delay_is_measured_against_the_schedule():
    found = measure_speed(
        CallableTarget(function=lambda _: None), quick("server", target_qps=1_000.0), workers=1
    )
    assert found.overhead.delay_p50_us <= found.overhead.delay_p99_us
    delay = overhead.own_delay_us(found.trace)
    assert (delay >= 0).all()
    assert found.overhead.delay_max_us == pytest.approx(delay.max())
    starved = found.overhead.starved_share
    assert starved is None or 0 <= starved <= 1


def test_the_machine_is_described_without_its_name():
    import platform

    text = repr(dataclasses.asdict(machine.look_at_machine()))
    assert "onnxruntime" in text
    node = platform.node()
    assert len(node) < 4 or node not in text


def test_energy_is_not_shown_without_counters(tmp_path):
    meter = resources.start_meter(None, powercap=tmp_path / "missing")
    used = resources.read_meter(meter, cpu_s=1.0, samples=10)
    assert used.energy_j is None
    assert dict(used.reasons)["energy_j"] == "the machine offers no energy counters"
    assert used.cpu_ms_per_sample == 100.0


def test_energy_is_read_from_packages_and_wraps_around(tmp_path):
    for name, value in (("intel-rapl:0", 900), ("intel-rapl:1", 50), ("intel-rapl:0:0", 7)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "energy_uj").write_text(str(value))
        (folder / "max_energy_range_uj").write_text("1000")
    meter = resources.start_meter(None, powercap=tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("350")
    used = resources.read_meter(meter, cpu_s=0.0, samples=5)
    assert used.energy_j == pytest.approx((200 + 300) / 1e6)
    assert used.energy_mj_per_sample == pytest.approx(0.1)


def test_peak_memory_sees_what_a_run_held():
    before = resources.resident_mib()
    meter = resources.start_meter(before)
    held = np.ones(128 * 2**20 // 8)  # never from memory that was freed before
    used = resources.read_meter(meter, cpu_s=0.0, samples=int(held[0]))
    assert used.peak_memory_mib >= before + 64
    if meter.reset:
        assert used.model_memory_mib == pytest.approx(128, abs=32)


def test_a_system_elsewhere_has_no_resources():
    distant = replace(CallableTarget(function=lambda _: None), remote=True)
    found = measure_speed(distant, quick())
    assert found.resources.cpu_s is None
    assert dict(found.resources.reasons)["cpu_s"] == "the system runs in another process"


def test_a_sweep_times_each_setting(target):
    rng = np.random.default_rng(0)
    found = sweep(target, rng=rng, batches=(1, 8), threads=(1, 2), turn_s=0.02)
    assert [(s.batch, s.threads) for s in found] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    assert all(s.throughput.value > 0 for s in found)
    figure = sweep_figure(found)
    assert [series.label for series in figure.series] == ["1 thread", "2 threads"]
    assert draw(figure, SCREEN, "x").startswith("<svg")


def test_a_fixed_batch_is_swept_by_threads_alone(tmp_path):
    fixed = open_target(models.linear(tmp_path / "m.onnx", batch=2))
    found = sweep(fixed, rng=np.random.default_rng(0), threads=(1, 2), turn_s=0.01)
    assert [(s.batch, s.threads) for s in found] == [(2, 1), (2, 2)]
    assert sweep_figure(found).x_label == "threads"


def test_pictures_hold_the_run(target):
    found = measure_speed(target, quick(target_latency_ms=5))
    figure = latency_figure(found)
    line, bound = figure.series
    assert len(line.x) <= 200
    assert line.y[-1] == pytest.approx(found.trace.latency_ns.max() / 1e6)
    assert bound.label == "bound at p90"
    assert draw(figure, SCREEN, "x").startswith("<svg")
    assert latency_figure(measure_speed(target, quick("offline"))) is None
    table = layers_figure(found.work)
    assert table.rows[0][1:3] == ("MatMul", "1x64")


def test_a_whole_check_needs_the_minima(monkeypatch):
    found = measure_speed(CallableTarget(function=lambda _: None), quick(target_latency_ms=50))
    short = replace(found.trace, load=replace(found.trace.load, min_duration_s=1e6))
    assert measurement.judge(short, found.bound).detail == (
        "p90 <= 50 ms: the smallest duration was not reached"
    )
