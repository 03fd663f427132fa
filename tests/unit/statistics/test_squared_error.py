import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.statistics import brier, ladder


def test_brier_of_a_hand_worked_case():
    # (0.9 - 1)^2 + (0.3 - 0)^2 = 0.01 + 0.09, halved.
    found = brier(np.array([0.9, 0.3]), np.array([1, 0]), None, alphas=(0.05,))
    assert found.value == pytest.approx(0.05)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 0.99), st.integers(0, 1), st.integers(0, 6)),
        min_size=2,
        max_size=50,
    )
)
@settings(deadline=None, max_examples=60)
def test_brier_agrees_with_scikit_learn(rows):
    from sklearn.metrics import brier_score_loss

    score, label, subject = (np.array(column) for column in zip(*rows, strict=True))
    found = brier(score, label, subject, alphas=ladder(0.05, 3))
    assert found.value == pytest.approx(brier_score_loss(label, score, labels=[0, 1]))
    for interval in found.intervals:
        assert 0 <= interval.low <= found.value <= interval.high <= 1


def test_more_classes_sum_over_them():
    # The true class scores 0.5, the others 0.3 and 0.2: 0.25 + 0.09 + 0.04.
    scores = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
    found = brier(scores, np.array([0, 1]), None, alphas=(0.05,))
    assert found.value == pytest.approx(0.38)


def test_two_columns_are_twice_one_probability():
    rng = np.random.default_rng(3)
    score = rng.random(80)
    label = (rng.random(80) < score).astype(int)
    one = brier(score, label, None, alphas=(0.05,))
    two = brier(np.stack([1 - score, score], axis=1), label, None, alphas=(0.05,))
    assert two.value == pytest.approx(2 * one.value)
    assert two.intervals[0].low == pytest.approx(2 * one.intervals[0].low)
    assert two.intervals[0].high == pytest.approx(2 * one.intervals[0].high)


def test_degenerate_samples_have_an_answer():
    assert brier(np.zeros(0), np.zeros(0, int), None, alphas=(0.05,)).reason == "no cases"
    one = brier(np.array([0.2, 0.4]), np.array([0, 1]), np.zeros(2, int), alphas=(0.05,))
    assert one.intervals == ()
    assert one.reason == "an interval needs two subjects"
    perfect = brier(np.array([0.0, 1.0]), np.array([0, 1]), None, alphas=(0.05,))
    assert perfect.value == 0.0
    assert perfect.intervals[0].high > 0.5
