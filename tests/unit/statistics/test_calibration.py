import numpy as np
import pytest

from titian.statistics import calibration_bins, expected_calibration_error, ladder
from titian.statistics.calibration import bins_for, draws_for, equal_mass_bins


def scores(rng, n):
    return 1 / (1 + np.exp(-1.5 * rng.standard_normal(n)))


def test_bins_grow_with_the_cube_root_of_the_subjects():
    assert [bins_for(n) for n in (1, 60, 163, 600, 5_000)] == [5, 6, 8, 13, 15]


def test_the_smallest_tail_holds_enough_draws():
    assert draws_for((0.05,)) == 4_000
    assert draws_for(ladder(0.05, 20)) == 16_000
    assert draws_for((1e-9,)) == 200_000


def test_equal_scores_share_a_bin():
    place = equal_mass_bins(np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.8, 0.9]), 4)
    assert len(set(place[:5].tolist())) == 1
    assert place.tolist() == sorted(place.tolist())
    assert equal_mass_bins(np.full(9, 0.5), 4).tolist() == [0] * 9


def test_the_plain_error_of_a_hand_worked_case():
    # One bin of equal scores 0.5 with 3 of 4 true: |0.75 - 0.5|.
    found = expected_calibration_error(
        np.full(4, 0.5),
        np.array([True, True, True, False]),
        None,
        alphas=(0.05,),
        rng=np.random.default_rng(1),
    )
    assert (found.plain, found.bins) == (0.25, 1)


def test_a_calibrated_model_on_163_cases_is_not_accused():
    """Plain with 15 bins is about 0.10 here; the debiased value is near 0, and the interval
    holds 0 in at least 19 of 20 samples."""
    rng = np.random.default_rng(163)
    plain, values, held = [], [], 0
    for _ in range(120):
        score = scores(rng, 163)
        outcome = rng.random(163) < score
        place = equal_mass_bins(score, 15)
        gap = np.bincount(place, weights=outcome - score) / 163
        plain.append(np.abs(gap).sum())
        found = expected_calibration_error(
            score, outcome, None, alphas=(0.05,), rng=np.random.default_rng(1)
        ).estimate
        values.append(found.value)
        held += found.intervals[0].low == 0.0
    assert 0.08 < np.mean(plain) < 0.12
    assert np.median(values) < 0.03
    assert held / 120 > 0.92


def test_a_miscalibrated_model_is_measured_and_rejected():
    rng = np.random.default_rng(12)
    score = scores(rng, 4_000)
    outcome = rng.random(4_000) < np.clip(score + 0.1, 0, 1)
    true = np.abs(np.clip(score + 0.1, 0, 1) - score).mean()
    found = expected_calibration_error(
        score, outcome, None, alphas=ladder(0.05, 4), rng=np.random.default_rng(1)
    )
    assert found.estimate.value == pytest.approx(true, abs=0.02)
    assert found.estimate.intervals[0].low < true < found.estimate.intervals[0].high
    assert found.p_value < 1e-3


def test_intervals_are_nested_over_the_ladder():
    rng = np.random.default_rng(3)
    score = scores(rng, 300)
    outcome = rng.random(300) < score**2
    found = expected_calibration_error(
        score, outcome, np.arange(300) // 3, alphas=ladder(0.05, 6), rng=rng
    ).estimate
    for wide, narrow in zip(found.intervals[1:], found.intervals[:-1], strict=True):
        assert 0 <= wide.low <= narrow.low <= found.value <= narrow.high <= wide.high


def test_subjects_with_one_outcome_for_all_their_cases_are_not_accused():
    """Five cases a subject with one label: by subject 0 is held, by case it is not."""
    rng = np.random.default_rng(4)
    held = {"subject": 0, "case": 0}
    for _ in range(60):
        score = np.repeat(scores(rng, 50), 5)
        outcome = np.repeat(rng.random(50) < score[::5], 5)
        for name, subject in (("subject", np.repeat(np.arange(50), 5)), ("case", None)):
            found = expected_calibration_error(
                score, outcome, subject, alphas=(0.05,), rng=np.random.default_rng(1)
            ).estimate
            held[name] += found.intervals[0].low == 0.0
    assert held["subject"] >= 52
    assert held["case"] < 40


def test_degenerate_samples_have_an_answer():
    rng = np.random.default_rng(1)
    none = expected_calibration_error(
        np.zeros(0), np.zeros(0, bool), None, alphas=(0.05,), rng=rng
    )
    assert (none.estimate.value, none.estimate.reason) == (None, "no cases")
    one = expected_calibration_error(
        np.array([0.2, 0.4]), np.array([False, True]), np.zeros(2), alphas=(0.05,), rng=rng
    )
    assert one.estimate.reason == "an interval needs two subjects"
    exact = expected_calibration_error(
        np.array([0.0, 1.0, 0.0, 1.0]),
        np.array([False, True, False, True]),
        None,
        alphas=(0.05,),
        rng=rng,
    )
    assert exact.estimate.value == 0.0
    assert exact.estimate.intervals[0].low == 0.0


def test_the_reliability_curve_counts_every_case():
    rng = np.random.default_rng(5)
    score = scores(rng, 163)
    outcome = rng.random(163) < score
    bins = calibration_bins(score, outcome, None, alpha=0.05)
    assert sum(item.n for item in bins) == 163
    assert all(item.interval.low <= item.frequency <= item.interval.high for item in bins)
    assert [item.score for item in bins] == sorted(item.score for item in bins)
    assert calibration_bins(np.zeros(0), np.zeros(0, bool), None, alpha=0.05) == ()
