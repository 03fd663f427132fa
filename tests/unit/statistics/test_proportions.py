import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from titian.statistics import ladder, proportion, wilson

ALPHAS = ladder(0.05, 4)


def outcomes(successes: int, n: int) -> np.ndarray:
    return np.arange(n) < successes


def test_wilson_matches_the_published_example():
    # Newcombe, Stat. Med. 17 (1998) 857-872, table I: 81 of 263, method 3.
    found = proportion(outcomes(81, 263), None, alphas=(0.05,))
    assert found.intervals[0].low == pytest.approx(0.2553, abs=5e-5)
    assert found.intervals[0].high == pytest.approx(0.3662, abs=5e-5)
    assert (found.value, found.n, found.method) == (81 / 263, 263, "Wilson")


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None, max_examples=50)
def test_wilson_agrees_with_scipy_at_every_level(pair):
    successes, n = pair
    found = proportion(outcomes(successes, n), None, alphas=ALPHAS)
    for interval in found.intervals:
        expected = binomtest(successes, n).proportion_ci(1 - interval.alpha, method="wilson")
        assert interval.low == pytest.approx(expected.low, abs=1e-9)
        assert interval.high == pytest.approx(expected.high, abs=1e-9)


def test_no_cases_are_unknown_with_a_reason():
    found = proportion(np.zeros(0, bool), None, alphas=ALPHAS, noun="positives")
    assert (found.value, found.n, found.intervals) == (None, 0, ())
    assert found.reason == "no positives"


@pytest.mark.parametrize(("success", "edge"), [(True, 1.0), (False, 0.0)])
def test_unanimous_subjects_count_as_one_observation_each(success, edge):
    # 5 subjects of 4 cases: the design effect cannot be seen, so n is 5 and not 20.
    found = proportion(np.full(20, success), np.repeat(np.arange(5), 4), alphas=(0.05,))
    alone = proportion(np.full(5, success), None, alphas=(0.05,))
    assert found.intervals == alone.intervals
    assert found.value == edge
    assert found.n == 20


def test_one_subject_counts_as_one_observation():
    found = proportion(outcomes(6, 12), np.zeros(12, np.int64), alphas=(0.05,))
    low, high = wilson(0.5, 1.0, (0.05,))
    assert (found.intervals[0].low, found.intervals[0].high) == (low[0], high[0])


def test_cases_that_repeat_their_subject_add_nothing():
    """Every case four times: the estimate stays, the interval is at least as wide."""
    rng = np.random.default_rng(3)
    success = rng.random(60) < 0.7
    alone = proportion(success, None, alphas=(0.05,)).intervals[0]
    copied = proportion(
        np.repeat(success, 4), np.repeat(np.arange(60), 4), alphas=(0.05,)
    ).intervals[0]
    ignored = proportion(np.repeat(success, 4), None, alphas=(0.05,)).intervals[0]
    assert copied.low <= alone.low
    assert copied.high >= alone.high
    assert copied.low == pytest.approx(alone.low, abs=0.01)
    assert ignored.high - ignored.low < 0.6 * (copied.high - copied.low)


def test_single_cases_named_as_subjects_change_nothing():
    success = outcomes(30, 41)
    named = proportion(success, np.arange(41)[::-1], alphas=ALPHAS)
    assert named == proportion(success, None, alphas=ALPHAS)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=1, max_size=80),
)
@settings(deadline=None, max_examples=60)
def test_bounds_are_ordered_nested_and_within_range(cases):
    success = np.array([outcome for outcome, _ in cases])
    subject = np.array([number for _, number in cases])
    found = proportion(success, subject, alphas=ALPHAS)
    assert found.value is not None
    for wide, narrow in zip(found.intervals[1:], found.intervals[:-1], strict=True):
        assert 0 <= wide.low <= narrow.low <= found.value <= narrow.high <= wide.high <= 1
