import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.statistics import auc, average_precision, ladder, wilson
from titian.statistics.discrimination import (
    _precision,
    auc_variance,
    modelled_variance,
    placements,
)

ALPHAS = ladder(0.05, 3)

ranked = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 8)), min_size=3, max_size=60
).map(
    lambda rows: (
        np.array([score for score, _, _ in rows], dtype=float) / 6,
        np.array([label for _, label, _ in rows]),
        np.array([subject for _, _, subject in rows]),
    )
)


def test_auc_of_a_hand_worked_case():
    # Pairs: 0.8 beats both, 0.4 ties 0.4 and beats 0.1: 3.5 of 4.
    score = np.array([0.8, 0.4, 0.4, 0.1])
    positive = np.array([True, True, False, False])
    assert auc(score, positive, None, alphas=(0.05,)).value == 3.5 / 4


def test_delong_variance_of_a_hand_worked_case():
    # Placements: positives 1, 3/4, negatives 3/4, 1; AUC 7/8. S10 = S01 = 1/32,
    # variance = S10/2 + S01/2 = 1/32.
    score = np.array([0.8, 0.4, 0.4, 0.1])
    positive = np.array([True, True, False, False])
    value, placement = placements(score, positive)
    assert placement.tolist() == [1.0, 0.75, 0.75, 1.0]
    assert auc_variance(placement, value, positive, np.arange(4)) == pytest.approx(1 / 32)


@given(ranked)
@settings(deadline=None, max_examples=60)
def test_auc_and_average_precision_agree_with_scikit_learn(case):
    from sklearn.metrics import average_precision_score, roc_auc_score

    score, positive, _ = case
    found = auc(score, positive, None, alphas=ALPHAS)
    precision = average_precision(score, positive, None, alphas=ALPHAS)
    if positive.all() or not positive.any():
        assert found.value is None
        assert found.reason in {"no positives", "no negatives"}
    else:
        assert found.value == pytest.approx(roc_auc_score(positive, score))
    if positive.any():
        assert precision.value == pytest.approx(average_precision_score(positive, score))
    else:
        assert (precision.value, precision.reason) == (None, "no positives")


@given(ranked)
@settings(deadline=None, max_examples=60)
def test_bounds_are_ordered_nested_and_within_range(case):
    score, positive, subject = case
    found = auc(score, positive, subject, alphas=ALPHAS)
    for wide, narrow in zip(found.intervals[1:], found.intervals[:-1], strict=True):
        assert 0 <= wide.low <= narrow.low <= found.value <= narrow.high <= wide.high <= 1


def test_turning_the_scores_round_mirrors_the_interval():
    rng = np.random.default_rng(5)
    positive = rng.random(120) < 0.4
    score = rng.standard_normal(120) + positive
    up = auc(score, positive, None, alphas=(0.05,))
    down = auc(-score, positive, None, alphas=(0.05,))
    assert down.value == pytest.approx(1 - up.value)


def test_perfect_separation_has_a_lower_end_below_one():
    positive = np.arange(20) < 10
    found = auc(positive.astype(float), positive, None, alphas=(0.05,))
    assert found.value == 1.0
    assert 0.6 < found.intervals[0].low < 0.95
    assert found.intervals[0].high == 1.0


def test_repeating_each_case_does_not_narrow_the_interval():
    rng = np.random.default_rng(6)
    positive = rng.random(80) < 0.4
    score = rng.standard_normal(80) + 1.2 * positive
    alone = auc(score, positive, None, alphas=(0.05,)).intervals[0]
    copied = auc(
        np.repeat(score, 3), np.repeat(positive, 3), np.repeat(np.arange(80), 3), alphas=(0.05,)
    ).intervals[0]
    ignored = auc(np.repeat(score, 3), np.repeat(positive, 3), None, alphas=(0.05,)).intervals[
        0
    ]
    width = alone.high - alone.low
    assert copied.high - copied.low == pytest.approx(width, rel=0.05)
    assert ignored.high - ignored.low < 0.7 * width


def test_obuchowski_counts_subjects_with_both_classes():
    """A subject that lifts its positives and its negatives alike makes AUC steadier."""
    rng = np.random.default_rng(7)
    lift = np.repeat(rng.standard_normal(60), 2) * 2
    positive = np.tile([True, False], 60)
    score = lift + 1.0 * positive + 0.3 * rng.standard_normal(120)
    subject = np.repeat(np.arange(60), 2)
    value, placement = placements(score, positive)
    together = auc_variance(placement, value, positive, subject)
    apart = auc_variance(placement, value, positive, np.arange(120))
    assert together < 0.5 * apart


def test_the_modelled_variance_matches_hanley_and_mcneil():
    # With equal classes Newcombe's form is Hanley and McNeil's (1982) own.
    a, m = 0.893, 51
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    own = (a * (1 - a) + (m - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / m**2
    assert modelled_variance(a, m, m) == pytest.approx(own)


def test_average_precision_of_a_hand_worked_case():
    # Ranked + - + : 1/2 * 1 + 1/2 * 2/3.
    found = average_precision(
        np.array([0.9, 0.5, 0.4]), np.array([True, False, True]), None, alphas=(0.05,)
    )
    assert found.value == pytest.approx(5 / 6)


def test_average_precision_does_not_depend_on_the_order_of_cases():
    rng = np.random.default_rng(8)
    score = rng.integers(0, 9, 90) / 9
    positive = rng.random(90) < 0.3 + 0.4 * score
    order = rng.permutation(90)
    one, other = (
        average_precision(score[index], positive[index], None, alphas=(0.05,)).value
        for index in (np.arange(90), order)
    )
    assert one == pytest.approx(other, abs=1e-12)


def test_the_influence_is_the_derivative_by_a_case_weight():
    rng = np.random.default_rng(9)
    score = np.sort(rng.integers(0, 12, 40))[::-1]
    hit = (rng.random(40) < 0.5).astype(float)
    last = np.append(score[1:] != score[:-1], True)

    def value(weight):
        true, called = np.cumsum(hit * weight)[last], np.cumsum(weight)[last]
        return float((np.diff(true, prepend=0.0) * true / called).sum() / true[-1])

    found, influence = _precision(hit, last)
    assert found == pytest.approx(value(np.ones(40)))
    for place in (0, 7, 39):
        step = np.zeros(40)
        step[place] = 1e-5
        slope = (value(1 + step) - value(1 - step)) / 2e-5
        assert influence[place] == pytest.approx(slope, abs=1e-7)
    assert influence.sum() == pytest.approx(0.0, abs=1e-12)


def test_a_perfect_ranking_counts_each_subject_once():
    positive = np.arange(12) < 6
    found = average_precision(
        positive.astype(float), positive, np.repeat(np.arange(6), 2), alphas=(0.05,)
    )
    low, _ = wilson(1.0, 3.0, (0.05,))
    assert (found.value, found.intervals[0].high) == (1.0, 1.0)
    assert found.intervals[0].low == pytest.approx(low[0])
