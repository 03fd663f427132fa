"""Percentiles and throughput with intervals that keep their promise."""

from __future__ import annotations

import numpy as np
import pytest

from titian.validation.speed.latency import (
    block_bootstrap,
    inflation,
    latency_percentile,
    percentile_rank,
    quantile_ranks,
    throughput,
)
from titian.validation.speed.scenario import make_load
from titian.validation.speed.trace import Trace


def trace(done_ms, scenario="single-stream", samples=None, **options):
    done = np.asarray(done_ms, dtype=float)
    begin = np.r_[0.0, done[:-1]] if scenario == "single-stream" else np.zeros(len(done))
    return Trace(
        load=make_load(scenario, **options),
        scheduled_ns=(begin * 1e6).astype(np.int64),
        issued_ns=(begin * 1e6).astype(np.int64),
        done_ns=(done * 1e6).astype(np.int64),
        answered=np.ones(len(done), bool),
        samples=np.ones(len(done), np.int64) if samples is None else np.asarray(samples),
        wall_s=float(done.max()) / 1e3,
        cpu_s=0.0,
    )


def test_a_percentile_is_read_where_loadgen_reads_it():
    assert percentile_rank(100, 0.99) == 99
    assert percentile_rank(1000, 0.9) == 900
    found = latency_percentile(np.arange(1000.0) * 1e6, 0.9)
    assert found.value == 900.0


def test_ranks_by_hand():
    # Ten queries and the median: ranks 2 and 9 enclose it in 97.9 % of runs.
    assert quantile_ranks(10, 0.5) == (1, 8)
    assert quantile_ranks(5, 0.5) is None
    assert quantile_ranks(367, 0.99) is None
    assert quantile_ranks(368, 0.99) is not None


@pytest.mark.parametrize("percentile", [0.5, 0.9, 0.99])
def test_intervals_cover_in_95_percent_of_independent_runs(percentile):
    rng = np.random.default_rng(8)
    truth = -np.log(1 - percentile)
    hits = []
    for _ in range(1_000):
        found = latency_percentile(rng.exponential(1e6, 1_000), percentile)
        interval = found.intervals[0]
        hits.append(interval.low <= truth <= interval.high)
    assert np.mean(hits) >= 0.935


def test_intervals_widen_where_queries_hang_together():
    rng = np.random.default_rng(8)
    hits, naive = [], []
    for _ in range(400):
        level = np.repeat(rng.exponential(1e6, 300), 20)  # twenty queries share their fate
        found = latency_percentile(level, 0.5).intervals[0]
        hits.append(found.low <= np.log(2) <= found.high)
        low, high = quantile_ranks(len(level), 0.5)
        ordered = np.sort(level) / 1e6
        naive.append(ordered[low] <= np.log(2) <= ordered[high])
    assert np.mean(naive) < 0.6
    assert np.mean(hits) >= 0.92


def test_independent_queries_are_hardly_inflated():
    rng = np.random.default_rng(3)
    found = [inflation(rng.exponential(1.0, 3_000), 1.0) for _ in range(50)]
    assert 1.0 <= np.median(found) < 1.3


def test_too_few_queries_have_no_interval_and_say_what_is_needed():
    found = latency_percentile(np.ones(100) * 1e6, 0.99)
    assert (found.value, found.intervals) == (1.0, ())
    assert found.reason == ("100 queries count as 100 independent ones; an interval needs 368")


def test_a_percentile_among_unanswered_queries_is_not_shown():
    latency = np.r_[np.ones(95), np.full(5, np.inf)]
    assert latency_percentile(latency, 0.9).value == 1e-6
    found = latency_percentile(latency, 0.97)
    assert (found.value, found.reason) == (None, "5.00% of the queries had no answer")


def test_throughput_counts_samples_over_the_whole_time():
    rng = np.random.default_rng(0)
    done = np.cumsum(rng.exponential(2.0, 2_000))
    found = throughput(trace(done), rng=rng)
    assert found.value == pytest.approx(2_000 / done[-1] * 1e3)
    assert found.intervals[0].low < found.value < found.intervals[0].high


def test_throughput_intervals_cover():
    hits = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        done = np.cumsum(rng.gamma(2.0, 1.0, 300))
        interval = throughput(trace(done), rng=rng).intervals[0]
        hits.append(interval.low <= 500.0 <= interval.high)
    assert np.mean(hits) >= 0.90


def test_offline_throughput_does_not_hang_on_the_order_of_workers():
    done = np.arange(1.0, 101.0)
    mixed = np.random.default_rng(0).permutation(done)
    one, two = (
        throughput(trace(d, "offline"), rng=np.random.default_rng(1)) for d in (done, mixed)
    )
    assert one == two


def test_a_server_run_has_no_interval_of_throughput():
    found = throughput(
        trace([1.0, 2.0], "server", target_qps=10.0), rng=np.random.default_rng(0)
    )
    assert (found.value, found.reason) == (1000.0, "the arrivals set the rate")


def test_short_series_are_not_resampled():
    assert block_bootstrap(np.ones(19), np.ones(19), rng=np.random.default_rng(0)) is None
