from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from titian import statistics
from titian.statistics import influence
from titian.statistics.discrimination import placements
from titian.statistics.estimate import Estimate
from titian.statistics.paired import (
    COMBINED,
    STEADIED,
    combined_difference,
    mcnemar,
    paired_difference,
    standard_error,
    z_test,
)
from titian.statistics.resampling import draw_counts, tail_probability

ALPHAS = (0.05, 0.01)


def rights(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.array([1] * (both + only_a) + [0] * (only_b + neither), dtype=bool)
    b = np.array([1] * both + [0] * only_a + [1] * only_b + [0] * neither, dtype=bool)
    return a, b


def test_mcnemar_is_a_binomial_test_of_the_disagreements() -> None:
    found = mcnemar(*rights(50, 3, 12, 7))
    assert (found.only_a, found.only_b) == (3, 12)
    assert found.exact == pytest.approx(binomtest(3, 15).pvalue)
    assert found.exact == pytest.approx(0.03515625)
    assert found.mid_p == pytest.approx(0.03515625 - 455 / 2**15)


def test_mcnemar_of_equal_disagreements_shows_nothing() -> None:
    assert mcnemar(*rights(5, 4, 4, 1)).exact == 1.0
    assert mcnemar(*rights(5, 4, 4, 1)).mid_p == 1.0
    assert mcnemar(*rights(5, 0, 0, 1)).exact == 1.0


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=1, max_size=14
    )
)
def test_mcnemar_by_subject_counts_every_flip_of_signs(rows: list) -> None:
    a, b, subject = (np.array(column) for column in zip(*rows, strict=True))
    sums = np.array(
        [(b[subject == s].astype(int) - a[subject == s]).sum() for s in np.unique(subject)]
    )
    flips = [
        abs(sum(f * s for f, s in zip(sign, sums, strict=True)))
        for sign in product((1, -1), repeat=len(sums))
    ]
    reached = np.mean([flip >= abs(sums.sum()) for flip in flips])
    beyond = np.mean([flip > abs(sums.sum()) for flip in flips])
    found = mcnemar(a, b, subject)
    assert found.exact == pytest.approx(reached)
    if sums.sum():
        assert found.mid_p == pytest.approx((reached + beyond) / 2)
    else:
        assert found.mid_p == 1.0


def test_mcnemar_of_many_clustered_cases_uses_fft_and_stays_near_the_normal() -> None:
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(30_000), 3)
    a, b = rng.random(90_000) < 0.5, rng.random(90_000) < 0.502
    found = mcnemar(a, b, subject)
    sums = np.bincount(subject, b.astype(float) - a)
    z = abs(sums.sum()) / np.sqrt((sums**2).sum())
    assert found.mid_p == pytest.approx(2 * norm.sf(z), abs=2e-3)


def delong_by_hand(a: np.ndarray, b: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """DeLong's difference and its variance, from the definition."""
    values, spread = [], np.zeros(())
    by_class = []
    for score in (a, b):
        psi = (score[label][:, None] > score[~label]) + 0.5 * (
            score[label][:, None] == score[~label]
        )
        values.append(psi.mean())
        by_class.append((psi.mean(axis=1), psi.mean(axis=0)))
    for place in (0, 1):
        difference = by_class[1][place] - by_class[0][place]
        spread = spread + difference.var(ddof=1) / len(difference)
    return values[1] - values[0], float(spread)


def test_z_test_of_the_auc_is_delongs() -> None:
    rng = np.random.default_rng(4)
    label = rng.random(80) < 0.4
    common = rng.standard_normal(80)
    a = np.round(common + rng.standard_normal(80) + label, 1)
    b = np.round(common + rng.standard_normal(80) + 1.6 * label, 1)
    value, spread = delong_by_hand(a, b, label)
    of_a, of_b = influence.of_auc(a, label), influence.of_auc(b, label)
    found = z_test(value, of_a, of_b, None)
    # One factor n/(n-1) for all cases stands for one in each class.
    error = standard_error(of_b - of_a)[0]
    assert error == pytest.approx(np.sqrt(spread), rel=0.02)
    assert found == pytest.approx(2 * norm.sf(abs(value) / error))
    assert placements(b, label)[0] - placements(a, label)[0] == pytest.approx(value)


def sensitivity(right: np.ndarray, subject: np.ndarray | None = None) -> Estimate:
    return statistics.proportion(right, subject, alphas=ALPHAS)


def difference(a: np.ndarray, b: np.ndarray, subject: np.ndarray | None = None) -> Estimate:
    everything = np.ones(len(a), dtype=bool)
    return paired_difference(
        sensitivity(a, subject),
        sensitivity(b, subject),
        influence.of_proportion(everything, a),
        influence.of_proportion(everything, b),
        subject,
        alphas=ALPHAS,
    )


def test_difference_is_b_minus_a_and_lies_in_its_intervals() -> None:
    found = difference(*rights(50, 3, 12, 7))
    assert found.value == pytest.approx(9 / 72)
    assert found.method == STEADIED
    wide = found.intervals[1]
    low, high = found.intervals[0].low, found.intervals[0].high
    assert wide.low < low < found.value < high < wide.high
    assert (low, high) == pytest.approx((0.0168, 0.2343), abs=2e-3)


def test_equal_models_leave_an_interval_around_zero() -> None:
    right = np.array([True] * 45 + [False] * 5)
    found = difference(right, right)
    interval = found.intervals[0]
    assert found.value == 0.0
    assert interval.low < 0.0 < interval.high
    assert interval.high - interval.low < 0.2


def test_models_that_agree_on_a_few_cases_are_not_called_equal() -> None:
    half = np.array([True, False] * 5)
    few, many = difference(half, half), difference(np.tile(half, 40), np.tile(half, 40))
    assert few.intervals[0].low < -0.15
    assert few.intervals[0].high > 0.15
    assert -0.015 < many.intervals[0].low < -0.003


def test_two_perfect_models_are_not_called_equal() -> None:
    right = np.ones(20, dtype=bool)
    interval = difference(right, right).intervals[0]
    assert interval.low < -0.1
    assert interval.high > 0.1


def test_bounds_stay_within_what_a_difference_can_be() -> None:
    interval = difference(np.array([True, False]), np.array([True, True])).intervals[1]
    assert -1.0 <= interval.low <= interval.high <= 1.0


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 30), st.integers(0, 9))
def test_changing_places_changes_the_sign(
    only_a: int, only_b: int, both: int, none: int
) -> None:
    a, b = rights(both, only_a, only_b, none)
    one, other = difference(a, b), difference(b, a)
    assert one.value == pytest.approx(-other.value)
    assert one.intervals[0].low == pytest.approx(-other.intervals[0].high)


def test_repeating_every_case_of_a_subject_teaches_nothing() -> None:
    a, b = rights(50, 3, 12, 7)
    once = difference(a, b)
    thrice = difference(np.repeat(a, 3), np.repeat(b, 3), np.repeat(np.arange(len(a)), 3))
    assert thrice.intervals[0].low == pytest.approx(once.intervals[0].low, abs=0.01)
    assert thrice.intervals[0].high == pytest.approx(once.intervals[0].high, abs=0.01)
    assert mcnemar(np.repeat(a, 3), np.repeat(b, 3), np.repeat(np.arange(len(a)), 3)).exact == (
        pytest.approx(mcnemar(a, b).exact)
    )


def test_an_unknown_measure_gives_an_unknown_difference_with_both_reasons() -> None:
    none = np.zeros(0, dtype=bool)
    found = paired_difference(
        sensitivity(none), sensitivity(none), np.zeros(3), np.zeros(3), None, alphas=ALPHAS
    )
    assert found.value is None
    assert found.reason == "A: no cases; B: no cases"


def test_combined_difference_takes_no_correlation_for_granted() -> None:
    a, b = rights(50, 3, 12, 7)
    found = combined_difference(sensitivity(a), sensitivity(b), alphas=ALPHAS)
    paired = difference(a, b)
    assert found.method == COMBINED
    assert found.intervals[0].low < paired.intervals[0].low
    assert found.intervals[0].high > paired.intervals[0].high


def test_influence_values_are_derivatives() -> None:
    rng = np.random.default_rng(8)
    label, prediction = rng.random(40) < 0.5, rng.random(40) < 0.4

    def f1(weight: np.ndarray) -> float:
        hit = weight[label & prediction].sum()
        return 2 * hit / (weight[label].sum() + weight[prediction].sum())

    def balanced(weight: np.ndarray) -> float:
        recalls = [
            weight[side & (prediction == label)].sum() / weight[side].sum()
            for side in (label, ~label)
        ]
        return sum(recalls) / 2

    for measure, found in (
        (f1, influence.of_f1(label, prediction)),
        (balanced, influence.of_balanced_accuracy(label, prediction)),
    ):
        for case in range(40):
            weight = np.ones(40)
            weight[case] += 1e-6
            assert found[case] == pytest.approx(
                (measure(weight) - measure(np.ones(40))) / 1e-6, abs=1e-4
            )


def test_influence_of_what_is_unknown_is_zero() -> None:
    nobody = np.zeros(3, dtype=bool)
    for found in (
        influence.of_proportion(nobody, nobody),
        influence.of_f1(nobody, nobody),
        influence.of_auc(np.zeros(3), nobody),
        influence.of_average_precision(np.zeros(3), nobody),
    ):
        assert found.tolist() == [0.0, 0.0, 0.0]


def test_drawn_counts_have_the_mean_and_spread_of_drawing_subjects() -> None:
    subject = np.array([0, 0, 0, 1, 2, 2])
    cell = np.array([0, 0, 1, 1, 2, 2])
    found = draw_counts(cell, subject, cells=3, draws=40_000, rng=np.random.default_rng(2))
    assert found.mean(axis=0) == pytest.approx([2, 2, 2], abs=0.05)
    # Three draws of subjects whose counts in cell 0 are 2, 0, 0: variance 3 * 8/9.
    assert found[:, 0].var() == pytest.approx(8 / 3, rel=0.03)
    single = draw_counts(cell, None, cells=3, draws=40_000, rng=np.random.default_rng(2))
    assert (single.sum(axis=1) == 6).all()
    assert single[:, 0].var() == pytest.approx(6 * (1 / 3) * (2 / 3), rel=0.03)


def test_tail_probability_leaves_unknown_draws_out() -> None:
    assert tail_probability(np.array([1.0, 2.0, 3.0, np.nan])) == 0.5
    assert tail_probability(np.array([-1.0, 1.0])) == 1.0
    assert tail_probability(np.array([np.nan])) == 1.0
