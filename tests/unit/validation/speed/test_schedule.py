"""Arrivals of the server scenario are a Poisson process from a seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from titian.validation.speed.scenario import make_load
from titian.validation.speed.schedule import arrivals, poisson_arrivals


def drawn(qps, duration, n, seed=3):
    return poisson_arrivals(
        qps, min_duration_s=duration, min_queries=n, rng=np.random.default_rng(seed)
    )


@given(
    qps=st.floats(0.5, 20_000),
    duration=st.floats(0.0, 2.0),
    n=st.integers(1, 500),
    seed=st.integers(0, 10),
)
def test_a_schedule_reaches_both_minima_and_stops_there(qps, duration, n, seed):
    due = drawn(qps, duration, n, seed)
    assert due[0] == 0
    assert (np.diff(due) >= 0).all()
    assert len(due) >= n
    assert due[-1] >= int(duration * 1e9)
    assert len(due) == n or due[-2] < duration * 1e9


def test_gaps_are_exponential():
    gaps = np.diff(drawn(1_000.0, 20.0, 1)) / 1e6
    assert stats.kstest(gaps, "expon").pvalue > 0.01


def test_counts_in_equal_stretches_are_poisson():
    counts = np.bincount(drawn(1_000.0, 50.0, 1) // 100_000_000)[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.2)


def test_a_seed_gives_the_schedule_again():
    load = make_load("server", target_qps=500.0, min_duration_s=1.0, seed=4)
    assert (arrivals(load) == arrivals(load)).all()
    other = make_load("server", target_qps=500.0, min_duration_s=1.0, seed=5)
    assert arrivals(load)[1] != arrivals(other)[1]
