"""Early stopping counts as MLPerf's LoadGen defines it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.errors import InputError
from titian.validation.speed.early_stopping import (
    check_bound,
    estimate_latency,
    min_passing,
    min_queries,
    most_discarded,
)

PERCENTILES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999])


def at_most(t: int, n: int, p: float) -> float:
    """P(Binomial(n, 1 - p) <= t), summed by hand."""
    return math.fsum(math.comb(n, k) * (1 - p) ** k * p ** (n - k) for k in range(t + 1))


@pytest.mark.parametrize(
    ("percentile", "floor"), [(0.90, 64), (0.95, 130), (0.97, 219), (0.99, 662), (0.999, 6636)]
)
def test_floors_are_those_of_loadgen(percentile: float, floor: int) -> None:
    assert min_queries(percentile) == floor
    assert min_passing(1, percentile) + 1 == floor
    assert most_discarded(floor, percentile) == 1
    assert most_discarded(floor - 1, percentile) == 0


@pytest.mark.parametrize("percentile", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("t", [0, 1, 2, 7])
def test_h_min_is_the_smallest_by_the_binomial_sum(t: int, percentile: float) -> None:
    h = min_passing(t, percentile)
    assert at_most(t, h + t, percentile) <= 0.01
    assert at_most(t, h - 1 + t, percentile) > 0.01


@given(t=st.integers(0, 2_000), percentile=PERCENTILES)
def test_one_more_query_over_the_bound_never_needs_fewer(t: int, percentile: float) -> None:
    assert min_passing(t + 1, percentile) >= min_passing(t, percentile)


@given(n=st.integers(0, 20_000), percentile=PERCENTILES)
def test_most_discarded_is_the_largest_that_passes(n: int, percentile: float) -> None:
    t = most_discarded(n, percentile)
    assert t == 0 or n >= min_passing(t, percentile) + t
    assert n < min_passing(t + 1, percentile) + t + 1


def test_the_reported_latency_is_the_t_th_largest() -> None:
    latency = np.random.default_rng(1).permutation(500).astype(float)
    found = estimate_latency(latency, 0.90)
    assert (found.discarded, found.latency_ns, found.needed) == (34, 466.0, 64)


def test_too_few_queries_report_no_latency() -> None:
    found = estimate_latency(np.ones(63), 0.90)
    assert (found.discarded, found.latency_ns, found.needed) == (0, None, 64)


@pytest.mark.parametrize(
    ("over", "n", "verdict", "lacking"),
    [
        (0, 459, "met", 0),
        (0, 458, "not shown", 1),
        (1, 662, "met", 0),
        (1, 661, "not shown", 1),
        (500, 500, "not met", 54_927),
    ],
)
def test_a_bound_has_three_verdicts(over: int, n: int, verdict: str, lacking: int) -> None:
    latency = np.r_[np.full(over, 2e6), np.full(n - over, 1e6)]
    found = check_bound(latency, 0.99, bound_ns=1e6)
    assert (found.over, found.verdict, found.lacking) == (over, verdict, lacking)


def test_a_query_of_exactly_the_bound_is_within_it() -> None:
    assert check_bound(np.full(459, 1e6), 0.99, bound_ns=1e6).passed


def test_a_query_without_an_answer_is_over_every_bound() -> None:
    assert check_bound(np.r_[np.inf, np.zeros(700)], 0.99, bound_ns=1e18).over == 1


@given(n=st.integers(1, 3_000), over=st.integers(0, 100), percentile=PERCENTILES)
def test_a_reported_latency_is_a_bound_that_passes(
    n: int, over: int, percentile: float
) -> None:
    over = min(over, n)
    latency = np.r_[np.full(over, 2.0), np.full(n - over, 1.0)]
    estimate = estimate_latency(latency, percentile).latency_ns
    if estimate is not None:
        assert check_bound(latency, percentile, bound_ns=estimate).passed


def test_a_broken_system_passes_in_at_most_one_percent_of_runs() -> None:
    rng = np.random.default_rng(5)
    over = rng.random((4_000, 1_000)) < 0.01  # exactly p99: the bound is not better than that
    counts = over.sum(axis=1)
    passed = np.array([min_passing(int(t), 0.99) + t <= 1_000 for t in counts])
    assert passed.mean() <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 4_000)


@pytest.mark.parametrize("percentile", [0.0, 1.0, -0.1, math.nan])
def test_a_percentile_outside_is_refused(percentile: float) -> None:
    with pytest.raises(InputError, match=r"^T-V160: percentile .* is not between 0 and 100"):
        min_passing(1, percentile)
