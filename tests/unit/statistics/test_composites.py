import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.statistics import balanced_accuracy, f1, ladder, wilson

ALPHAS = ladder(0.05, 3)

decisions = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=60
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def test_f1_carries_wilson_over_from_the_overlap():
    # TP 6, FP 2, FN 1, TN 3: overlap 6/9, F1 = 12/15.
    label = np.array([1] * 6 + [0] * 2 + [1] + [0] * 3, dtype=bool)
    called = np.array([1] * 6 + [1] * 2 + [0] + [0] * 3, dtype=bool)
    found = f1(label, called, None, alphas=(0.05,))
    low, high = wilson(6 / 9, 9, (0.05,))
    assert found.value == pytest.approx(12 / 15)
    assert found.intervals[0].low == pytest.approx(2 * low[0] / (1 + low[0]))
    assert found.intervals[0].high == pytest.approx(2 * high[0] / (1 + high[0]))
    assert found.n == 12


def test_f1_without_positives_is_unknown():
    nothing = np.zeros(4, bool)
    found = f1(nothing, nothing, None, alphas=(0.05,))
    assert (found.value, found.reason) == (None, "no positives or predicted positives")


def test_balanced_accuracy_of_a_hand_worked_case():
    # Recalls 8/10 and 3/5; MOVER: root of the summed squared reaches, halved.
    label = np.repeat([0, 1], [10, 5])
    called = np.array([0] * 8 + [1] * 2 + [1] * 3 + [0] * 2)
    found = balanced_accuracy(label, called, None, classes=2, alphas=(0.05,))
    lows = [wilson(0.8, 10, (0.05,))[0][0], wilson(0.6, 5, (0.05,))[0][0]]
    reach = np.hypot(0.8 - lows[0], 0.6 - lows[1]) / 2
    assert found.value == pytest.approx(0.7)
    assert found.intervals[0].low == pytest.approx(0.7 - reach)


def test_balanced_accuracy_needs_every_class():
    found = balanced_accuracy(
        np.zeros(3, int), np.zeros(3, int), None, classes=2, alphas=(0.05,)
    )
    assert (found.value, found.n, found.reason) == (None, 3, "a class has no cases")


@given(decisions)
@settings(deadline=None, max_examples=60)
def test_both_agree_with_scikit_learn(case):
    from sklearn.metrics import f1_score, recall_score

    label, called, subject = case
    found = f1(label == 1, called == 1, subject, alphas=ALPHAS)
    if found.value is not None:
        assert found.value == pytest.approx(f1_score(label == 1, called == 1))
    macro = balanced_accuracy(label, called, subject, classes=3, alphas=ALPHAS)
    if macro.value is not None:
        assert macro.value == pytest.approx(recall_score(label, called, average="macro"))
        for interval in macro.intervals:
            assert 0 <= interval.low <= macro.value <= interval.high <= 1


def test_subjects_that_answer_alike_widen_balanced_accuracy():
    rng = np.random.default_rng(2)
    label = np.tile([0, 1], 40)
    good = np.repeat(rng.random(20) < 0.7, 4)
    called = np.where(good, label, 1 - label)
    subject = np.repeat(np.arange(20), 4)
    by_subject = balanced_accuracy(label, called, subject, classes=2, alphas=(0.05,))
    ignored = balanced_accuracy(label, called, None, classes=2, alphas=(0.05,))
    width = [e.intervals[0].high - e.intervals[0].low for e in (by_subject, ignored)]
    assert width[0] > 1.6 * width[1]
