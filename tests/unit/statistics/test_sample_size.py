from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from titian import statistics
from titian.statistics import ranges
from titian.statistics.clusters import clustering
from titian.statistics.proportions import effective_size
from titian.statistics.sample_size import (
    Bound,
    OutOfReach,
    drawn_share_power,
    share_power,
    simulated_rise,
    smallest_drawn,
    smallest_share,
)
from titian.statistics.simulated_power import (
    Group,
    counted_power,
    gap_limit,
    kind_chances,
    scored_power,
    share_limits,
)


def power_by_hand(n: int, expect: float, bound: Bound) -> float:
    """Sum the binomial chances of every count whose Wilson interval clears the bound."""
    total = 0.0
    for k in range(n + 1):
        low, high = statistics.wilson(k / n, float(n), (bound.alpha,))
        if bound.met(low, high)[0]:
            total += binom.pmf(k, n, expect)
    return float(total)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 120),
    st.floats(0.02, 0.98),
    st.floats(0.02, 0.98),
    st.booleans(),
    st.sampled_from([0.05, 0.1, 0.01]),
)
def test_power_is_that_of_the_interval_the_tool_shows(
    n: int, expect: float, edge: float, upper: bool, alpha: float
) -> None:
    bound = Bound(**{"at_most" if upper else "at_least": edge}, alpha=alpha)
    found = share_power(np.array([n]), expect, bound)[0]
    assert found == pytest.approx(power_by_hand(n, expect, bound), abs=1e-9)


def test_the_number_is_the_smallest_from_which_on_the_power_holds() -> None:
    bound = Bound(at_least=0.85)
    n = smallest_share(0.9, bound, 0.9)
    power = share_power(np.arange(1, 5 * n), 0.9, bound)
    assert n == 483
    assert power[n - 2] < 0.9
    assert (power[n - 1 :] >= 0.9).all()
    # The sawtooth: a smaller number has the power too, and the next ones lose it again.
    assert (power[: n - 2] >= 0.9).any()


def test_an_upper_bound_mirrors_a_lower_one() -> None:
    assert smallest_share(0.1, Bound(at_most=0.15), 0.9) == smallest_share(
        0.9, Bound(at_least=0.85), 0.9
    )


def test_what_is_too_near_is_out_of_reach() -> None:
    with pytest.raises(OutOfReach):
        smallest_share(0.85001, Bound(at_least=0.85), 0.9)


def test_a_denominator_left_to_chance_mixes_the_exact_powers() -> None:
    bound = Bound(at_least=0.6)
    by_hand = sum(
        binom.pmf(m, 80, 0.3) * share_power(np.array([m]), 0.9, bound)[0] for m in range(1, 81)
    )
    assert drawn_share_power(80, 0.3, 0.9, bound) == pytest.approx(by_hand)
    n = smallest_drawn(lambda drawn: drawn_share_power(drawn, 0.3, 0.9, bound), 0.9, 30)
    assert drawn_share_power(n - 1, 0.3, 0.9, bound) < 0.9
    assert all(drawn_share_power(n + more, 0.3, 0.9, bound) >= 0.9 for more in range(60))


def test_kinds_of_subjects_are_beta_binomial() -> None:
    found = kind_chances(4, 0.8, 0.25)
    assert found == pytest.approx(betabinom.pmf(np.arange(5), 4, 0.8 * 3, 0.2 * 3))
    assert kind_chances(3, 0.8, 0.0) == pytest.approx(binom.pmf(np.arange(4), 3, 0.8))
    assert kind_chances(3, 0.8, 1.0) == pytest.approx([0.2, 0.0, 0.0, 0.8])


@pytest.mark.parametrize(("cases", "icc"), [(1, 0.0), (3, 0.4), (5, 1.0)])
def test_simulated_limits_are_those_of_the_estimator(cases: int, icc: float) -> None:
    rng = np.random.default_rng(3)
    subjects = 25
    kinds = rng.multinomial(subjects, kind_chances(cases, 0.92, icc), size=40)
    value, low, high = share_limits(kinds, 0.05)
    for row in range(40):
        success = np.concatenate(
            [
                np.arange(cases) < wins
                for wins, count in enumerate(kinds[row])
                for _ in range(count)
            ]
        )
        found = statistics.proportion(
            success, np.repeat(np.arange(subjects), cases), alphas=(0.05,)
        )
        assert value[row] == pytest.approx(found.value)
        assert low[row] == pytest.approx(found.intervals[0].low)
        assert high[row] == pytest.approx(found.intervals[0].high)


def test_no_subject_has_limits_that_clear_nothing() -> None:
    value, low, high = share_limits(np.zeros((1, 2), dtype=np.int64), 0.05)
    assert (value[0], low[0], high[0]) == (0.5, 0.0, 1.0)


def test_the_gaps_limit_is_the_larger_of_both_directions() -> None:
    one = tuple(np.array([x]) for x in (0.9, 0.8, 0.95))
    other = tuple(np.array([x]) for x in (0.8, 0.6, 0.9))
    up = 0.1 + math.hypot(0.05, 0.2)
    down = -0.1 + math.hypot(0.1, 0.1)
    assert gap_limit(one, other)[0] == pytest.approx(max(up, down))
    assert gap_limit(other, one)[0] == pytest.approx(max(up, down))


def test_simulated_counts_agree_with_the_exact_power() -> None:
    bound = Bound(at_least=0.85)
    rng = np.random.default_rng(5)
    found = counted_power(
        300, [Group(part=0.7, expect=0.92)], bound, cases=1, icc=0.0, gap=False, rng=rng
    )
    assert found == pytest.approx(drawn_share_power(300, 0.7, 0.92, bound), abs=0.01)


def test_simulated_scores_have_the_auc_that_is_expected() -> None:
    rng = np.random.default_rng(5)
    sure = scored_power(
        2_000, [Group(part=1.0, expect=0.9)], Bound(at_least=0.8), prevalence=0.5, cases=1,
        icc=0.0, gap=False, rng=rng, draws=40,
    )  # fmt: skip
    never = scored_power(
        2_000, [Group(part=1.0, expect=0.8)], Bound(at_least=0.9), prevalence=0.5, cases=1,
        icc=0.0, gap=False, rng=rng, draws=40,
    )  # fmt: skip
    assert (sure, never) == (1.0, 0.0)


def test_a_rise_finds_the_root_of_a_known_curve_from_a_bad_guess() -> None:
    def power_at(n: int) -> float:
        return float(statistics_normal((math.sqrt(n) - 20) / 4))

    for guess in (40, 400, 4_000):
        n, rise = simulated_rise(power_at, 0.9, guess, draws=20_000)
        assert n == pytest.approx((20 + 4 * 1.2815515655446004) ** 2, rel=0.02)
        assert rise.at(n) == pytest.approx(0.9, abs=0.005)


def statistics_normal(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def test_a_planned_gap_is_judged_by_the_interval_that_gaps_are_shown_with() -> None:
    rng = np.random.default_rng(7)
    for _ in range(30):
        kinds = [
            rng.multinomial(40, kind_chances(3, share, 0.3), size=1) for share in (0.8, 0.9)
        ]
        limits = [share_limits(kind, 0.05) for kind in kinds]
        found = []
        for kind in kinds:
            success = np.concatenate(
                [np.arange(3) < wins for wins in range(4) for _ in range(kind[0][wins])]
            ).astype(np.float64)
            groups = clustering(np.repeat(np.arange(40), 3), 120)
            found.append((success.mean(), *effective_size(success, groups)))
        value, size, df = (np.array([column]) for column in zip(*found, strict=True))
        shown = ranges.gap(
            [ranges.proportions(value, size, df, np.ones((1, 2), dtype=bool))], alpha=0.05
        )
        assert gap_limit(*limits)[0] == pytest.approx(shown.high[0])
