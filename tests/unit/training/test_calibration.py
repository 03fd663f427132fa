"""Temperature, threshold and their parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.training.calibration import (
    calibrate,
    choose_threshold,
    cross_entropy,
    rank_auc,
    softmax,
)


def drawn(n: int, *, factor: float, seed: int = 0):
    """Return logits of a calibrated binary model, times `factor`, and the truth."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 1.5, n)
    codes = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(int)
    return np.stack([np.zeros(n), margin * factor], axis=1), codes


HALVES = np.asarray([0.5, 0.5])


def test_a_calibrated_model_keeps_temperature_one():
    logits, codes = drawn(150, factor=1.0)
    assert calibrate(logits, codes, shares=HALVES, trained_shares=HALVES).temperature == 1.0


def test_an_overconfident_model_is_cooled_by_its_excess():
    logits, codes = drawn(4000, factor=4.0)
    fitted = calibrate(logits, codes, shares=HALVES, trained_shares=HALVES)
    assert fitted.temperature == pytest.approx(4.0, rel=0.1)
    assert cross_entropy(fitted.apply(logits), codes) < cross_entropy(softmax(logits), codes)


def test_a_model_that_knows_nothing_ends_at_the_class_shares():
    rng = np.random.default_rng(3)
    codes = (rng.random(3000) < 0.2).astype(int)
    logits = np.stack([np.zeros(3000), rng.normal(0, 4, 3000)], axis=1)
    shares = np.asarray([0.8, 0.2])
    fitted = calibrate(logits, codes, shares=shares, trained_shares=HALVES)
    assert fitted.temperature > 20
    assert fitted.apply(logits)[:, 1].mean() == pytest.approx(0.2, abs=0.03)


def test_class_weights_are_taken_out_again():
    shares = np.asarray([0.9, 0.1])
    codes = (np.arange(10) == 0).astype(int)
    fitted = calibrate(np.zeros((10, 2)), codes, shares=shares, trained_shares=HALVES)
    assert fitted.temperature == 1.0
    answers = fitted.apply(np.log(np.asarray([[0.5, 0.5], [0.3, 0.7]])))
    assert answers[:, 1] == pytest.approx([0.1, 0.7 * 0.1 / (0.7 * 0.1 + 0.3 * 0.9)])


def test_cross_entropy_by_hand_and_finite_for_a_sure_mistake():
    answers = np.asarray([[0.25, 0.75], [0.5, 0.5]])
    by_hand = -(np.log(0.75) + np.log(0.5)) / 2
    assert cross_entropy(answers, np.asarray([1, 0])) == pytest.approx(by_hand)
    assert cross_entropy(np.asarray([[1.0, 0.0]]), np.asarray([1])) == pytest.approx(
        27.631, abs=1e-3
    )


SCORES = np.asarray([0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
TRUTH = np.asarray([False, False, True, False, True, True])


def test_the_threshold_maximises_youden_and_lies_between_scores():
    # 0.25: sensitivity 1, specificity 2/3; 0.5: sensitivity 2/3, specificity 1. Equal.
    assert choose_threshold(SCORES, TRUTH) == pytest.approx(0.25)


def test_a_wanted_sensitivity_takes_the_highest_threshold_that_reaches_it():
    assert choose_threshold(SCORES, TRUTH, sensitivity=1.0) == pytest.approx(0.25)
    assert choose_threshold(SCORES, TRUTH, sensitivity=0.6) == pytest.approx(0.5)
    assert choose_threshold(SCORES, TRUTH, sensitivity=0.3) == pytest.approx(0.7)


def test_equal_scores_leave_only_the_threshold_zero():
    assert choose_threshold(np.full(4, 0.3), np.asarray([True, False, True, False])) == 0.0


binary = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=25).filter(
    lambda cases: len({truth for _, truth in cases}) == 2
)


@given(cases=binary)
def test_no_other_threshold_has_a_larger_youden_index(cases):
    scores = np.asarray([score / 5 for score, _ in cases])
    truth = np.asarray([t for _, t in cases])

    def youden(threshold: float) -> float:
        answered = scores >= threshold
        return answered[truth].mean() + (~answered[~truth]).mean() - 1

    best = max(youden(t) for t in np.linspace(0, 1.1, 111))
    assert youden(choose_threshold(scores, truth)) == pytest.approx(best)


@given(cases=binary)
def test_auc_is_the_share_of_ordered_pairs(cases):
    scores = np.asarray([float(score) for score, _ in cases])
    truth = np.asarray([t for _, t in cases])
    pairs = scores[truth][:, None] - scores[~truth][None, :]
    assert rank_auc(scores, truth) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
