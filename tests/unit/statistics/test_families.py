import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.statistics import FamilyRow, interval_at, judge_family, ladder, wilson
from titian.values import Interval, VerdictValue

MET, NOT_MET, NOT_SHOWN = VerdictValue.MET, VerdictValue.NOT_MET, VerdictValue.NOT_SHOWN


def row(value: float, n: int, *, m: int, alpha: float = 0.05) -> FamilyRow:
    alphas = ladder(alpha, m)
    low, high = wilson(value, n, alphas)
    return FamilyRow(
        value=value,
        n=n,
        intervals=tuple(
            Interval(alpha=a, low=lo, high=hi)
            for a, lo, hi in zip(alphas, low.tolist(), high.tolist(), strict=True)
        ),
    )


def plain(value: float, *bounds: tuple[float, float, float], n: int = 100) -> FamilyRow:
    return FamilyRow(
        value=value,
        n=n,
        intervals=tuple(Interval(alpha=a, low=lo, high=hi) for a, lo, hi in bounds),
    )


def test_the_whole_interval_decides_on_a_single_requirement():
    rows = [
        plain(0.9, (0.05, 0.8, 0.95)),
        plain(0.7, (0.05, 0.6, 0.79)),
        plain(0.82, (0.05, 0.7, 0.9)),
    ]
    verdicts = [judge_family([r], at_least=0.8, alpha=0.05)[0].verdict for r in rows]
    assert verdicts == [MET, NOT_MET, NOT_SHOWN]
    mirrored = [judge_family([r], at_most=0.8, alpha=0.05)[0].verdict for r in rows]
    assert mirrored == [NOT_SHOWN, MET, NOT_SHOWN]


def test_met_is_not_corrected_but_not_met_is():
    # 0.79 at alpha is below the bound; at alpha/2 the interval reaches across it.
    family = [
        plain(0.9, (0.05, 0.81, 0.95), (0.025, 0.79, 0.96)),
        plain(0.7, (0.05, 0.6, 0.79), (0.025, 0.58, 0.81)),
    ]
    judged = judge_family(family, at_least=0.8, alpha=0.05)
    assert [j.verdict for j in judged] == [MET, NOT_SHOWN]
    assert judged[1].adjusted_alpha == pytest.approx(0.025)
    assert (judged[1].adjusted_low, judged[1].adjusted_high) == (0.58, 0.81)


def test_holm_steps_down_after_an_accusation():
    family = [
        plain(0.3, (0.05, 0.2, 0.4), (0.025, 0.18, 0.42)),
        plain(0.7, (0.05, 0.6, 0.79), (0.025, 0.58, 0.81)),
    ]
    judged = judge_family(family, at_least=0.8, alpha=0.05)
    assert [j.verdict for j in judged] == [NOT_MET, NOT_MET]
    assert [j.adjusted_alpha for j in judged] == [pytest.approx(0.025), pytest.approx(0.05)]


def test_a_row_without_an_interval_is_not_shown_and_does_not_count():
    empty = FamilyRow(value=None, n=0, intervals=())
    judged = judge_family([empty, plain(0.7, (0.05, 0.6, 0.79))], at_least=0.8, alpha=0.05)
    assert [j.verdict for j in judged] == [NOT_SHOWN, NOT_MET]
    assert judged[0].adjusted_alpha is None


def test_more_cases_scale_the_half_width_to_the_gap():
    # reach 0.2 must shrink to the gap 0.15: n (0.2/0.15)^2 = 177.8 -> 78 more.
    near = plain(0.95, (0.05, 0.75, 1.0))
    assert judge_family([near], at_least=0.8, alpha=0.05)[0].more_cases == 78
    # The standard error is 0.2/1.96 = 0.102: a gap of 0.1 is within it.
    within = plain(0.9, (0.05, 0.7, 1.0))
    assert judge_family([within], at_least=0.8, alpha=0.05)[0].more_cases is None
    beyond = plain(0.75, (0.05, 0.6, 0.9))
    assert judge_family([beyond], at_least=0.8, alpha=0.05)[0].more_cases is None
    met = plain(0.95, (0.05, 0.9, 1.0))
    assert judge_family([met], at_least=0.8, alpha=0.05)[0].more_cases is None


def test_more_cases_settle_an_upper_bound_likewise():
    error = plain(0.05, (0.05, 0.0, 0.10))
    judged = judge_family([error], at_most=0.08, alpha=0.05)[0]
    assert judged.more_cases == math.ceil(100 * (0.05 / 0.03) ** 2) - 100


def test_a_short_ladder_is_refused():
    family = [plain(0.7, (0.05, 0.6, 0.79))] * 2
    with pytest.raises(ValueError, match=r"no interval at alpha 0\.025; there are 0\.05"):
        judge_family(family, at_least=0.8, alpha=0.05)


@pytest.mark.parametrize("bounds", [{}, {"at_least": 0.1, "at_most": 0.2}])
def test_exactly_one_bound_is_needed(bounds):
    with pytest.raises(ValueError, match="give exactly one of at_least and at_most"):
        judge_family([], alpha=0.05, **bounds)


def test_interval_at_finds_a_level_despite_rounding():
    rows = plain(0.5, (0.05, 0.4, 0.6), (0.05 / 3, 0.3, 0.7))
    assert interval_at(rows.intervals, 0.016666666666666666).low == 0.3


@given(
    st.lists(st.tuples(st.floats(0.02, 0.98), st.integers(5, 400)), min_size=1, max_size=8),
    st.floats(0.1, 0.9),
)
@settings(deadline=None, max_examples=40)
def test_verdicts_follow_holm_on_p_values(cells, bound):
    """Interval inversion and p-values are two ways to the same step-down."""
    from scipy.stats import norm

    from titian.statistics import holm

    rows = [row(value, n, m=len(cells)) for value, n in cells]
    judged = judge_family(rows, at_least=bound, alpha=0.05)
    z = [(value - bound) / math.sqrt(bound * (1 - bound) / n) for value, n in cells]
    adjusted = holm([2 * norm.sf(abs(score)) if score < 0 else 1.0 for score in z])
    for one, p in zip(judged, adjusted, strict=True):
        if abs(p - 0.05) > 1e-6:
            assert (one.verdict is NOT_MET) == (p < 0.05)


@given(st.floats(0.0, 1.0), st.integers(1, 500), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=40)
def test_a_row_is_never_both(value, n, bound):
    judged = judge_family([row(value, n, m=1)], at_least=bound, alpha=0.05)[0]
    other = judge_family([row(value, n, m=1)], at_most=bound, alpha=0.05)[0]
    assert not (judged.verdict is MET and other.verdict is MET and value != bound)
    assert not (judged.verdict is NOT_MET and other.verdict is NOT_MET)


def test_error_rates_hold_by_simulation():
    """At the edge of the null: P(false met) <= alpha/2 a row, P(any false not met) <= alpha."""
    rng = np.random.default_rng(20)
    alpha, bound, m, n, runs = 0.05, 0.8, 6, 120, 3_000
    alphas = ladder(alpha, m)
    table = {}
    for successes in range(n + 1):
        table[successes] = row(successes / n, n, m=m)
    false_met = false_accused = 0
    for counts in rng.binomial(n, bound, size=(runs, m)):
        judged = judge_family([table[c] for c in counts], at_least=bound, alpha=alpha)
        false_met += sum(j.verdict is MET for j in judged)
        false_accused += any(j.verdict is NOT_MET for j in judged)
    noise = 3 * math.sqrt(alpha / 2 / (runs * m))
    assert false_met / (runs * m) <= alpha / 2 + noise
    assert false_accused / runs <= alpha + 3 * math.sqrt(alpha / runs)
    assert len(alphas) == m


def test_without_holm_the_family_would_accuse_too_often():
    """The red side of the simulation above: uncorrected accusations exceed alpha."""
    rng = np.random.default_rng(21)
    counts = rng.binomial(120, 0.8, size=(2_000, 12))
    table = {c: row(c / 120, 120, m=1).intervals[0].high < 0.8 for c in range(121)}
    uncorrected = np.vectorize(table.__getitem__)(counts).any(axis=1).mean()
    assert uncorrected > 0.15
