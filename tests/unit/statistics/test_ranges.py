"""Intervals of gaps: Tukey's where all are alike, a pair's own where two are compared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import studentized_range

from titian.statistics import ranges


def shares(hits, n) -> ranges.Groups:
    hits, n = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    return ranges.proportions(hits / n, n, np.inf, np.ones(hits.shape, dtype=bool))


@pytest.mark.parametrize("k", [2, 3, 5, 20])
def test_with_all_alike_the_integral_is_tukeys(k):
    critical = studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)
    shape = np.zeros((1, k))
    inside = ranges.excess_below(
        np.zeros(1), shape, shape + 1, (shape + critical / np.sqrt(2),) * 2, shape == 0
    )
    assert inside == pytest.approx(0.95, abs=2e-3)


def test_two_large_groups_have_newcombes_interval():
    found = ranges.gap([shares([560, 480], [700, 800])], alpha=0.05)
    # Newcombe's (1998) hybrid score interval of 560/700 - 480/800.
    low, high = shares([560, 480], [700, 800]).limits(np.array([1.959963984540054]))
    a, b = 560 / 700, 480 / 800
    assert found.value == pytest.approx(a - b)
    assert found.low == pytest.approx(a - b - np.hypot(a - low[0], high[1] - b), abs=1e-3)
    assert found.high == pytest.approx(a - b + np.hypot(high[0] - a, b - low[1]), abs=1e-9)


def test_more_groups_make_the_lower_end_lower_and_the_upper_no_lower():
    two = ranges.gap([shares([60, 40], [100, 100])], alpha=0.05)
    ten = ranges.gap([shares([60, 40] + [50] * 8, [100] * 10)], alpha=0.05)
    assert ten.low < two.low
    assert ten.high >= two.high
    assert ten.value == two.value


def test_a_group_that_is_not_shown_widens_the_upper_end_alone():
    plain = ranges.gap([shares([60, 40], [100, 100])], alpha=0.05)
    value, n = np.array([0.6, 0.4, np.nan]), np.array([100.0, 100.0, 0.0])
    shown = np.array([True, True, False])
    wide = ranges.gap([ranges.proportions(value, n, np.inf, shown)], alpha=0.05)
    assert wide.value == plain.value
    assert wide.low == pytest.approx(plain.low, abs=1e-6)
    assert wide.high > plain.high + 0.3


def test_a_ratio_with_a_rate_of_zero_is_zero_and_its_interval_is_not():
    found = ranges.ratio([shares([0, 20], [50, 50])], alpha=0.05)
    assert found.value == 0.0
    assert found.low < 1e-9
    assert 0.0 < found.high < 1.0


def test_rates_all_zero_have_a_ratio_of_one_and_know_nothing():
    found = ranges.ratio([shares([0, 0], [50, 50])], alpha=0.05)
    assert found.value == pytest.approx(1.0)
    assert found.low < 1e-9
    assert found.high == pytest.approx(1.0)


def test_levels_in_one_call_are_those_of_calls_apart():
    groups = shares([60, 45, 40], [100, 90, 110])
    both = ranges.gap([groups], alpha=np.array([0.05, 0.01]))
    for place, alpha in enumerate((0.05, 0.01)):
        alone = ranges.gap([groups], alpha=alpha)
        assert both.low[place] == pytest.approx(alone.low)
        assert both.high[place] == pytest.approx(alone.high)


@pytest.mark.parametrize(
    ("rates", "n"),
    [
        ((0.3, 0.3), 40),
        ((0.3, 0.3, 0.3, 0.3, 0.5), 200),
        ((0.3, 0.3, 0.5, 0.5, 0.5), 60),
        ((0.05,) * 10, 100),
    ],
)
def test_coverage_of_gaps(rates, n):
    rng = np.random.default_rng(7)
    hits = rng.binomial(n, rates, size=(1_500, len(rates)))
    found = ranges.gap([shares(hits, np.full(hits.shape, n))], alpha=0.05)
    true = max(rates) - min(rates)
    covered = ((found.low <= true + 1e-12) & (found.high >= true - 1e-12)).mean()
    assert covered >= 0.93
