"""Counts give what the cases give, one cell at a time."""

from __future__ import annotations

import numpy as np
import pytest

from titian import statistics
from titian.statistics import ranges
from titian.validation.disparity.cells import partition
from titian.validation.disparity.counts import RATES, outcome_codes, shares, tally
from titian.validation.tables import Column


def column(name: str, values: list[str]) -> Column:
    names = tuple(dict.fromkeys(values))
    code = np.array([names.index(value) for value in values], dtype=np.int32)
    return Column(name=name, code=code, names=names)


@pytest.fixture
def cases():
    rng = np.random.default_rng(5)
    n = 600
    label, prediction = rng.random(n) < 0.3, rng.random(n) < 0.4
    groups = [
        column("sex", rng.choice(["f", "m"], n).tolist()),
        column("site", rng.choice(["a", "b", "c"], n, p=[0.9, 0.08, 0.02]).tolist()),
    ]
    return label, prediction, rng.integers(0, 200, n), partition(groups, n)


def test_a_table_by_hand():
    label = np.array([True, True, False, False, True])
    prediction = np.array([True, False, True, False, True])
    part = partition([column("g", ["a", "a", "a", "b", "b"])], 5)
    counts = tally(outcome_codes(label, prediction), part)
    assert counts.cases.tolist() == [[0, 1, 1, 1], [1, 0, 0, 1]]
    assert shares(counts, RATES["sensitivity"]).value.tolist() == [0.5, 1.0]
    assert shares(counts, RATES["selection_rate"]).value.tolist() == [2 / 3, 0.5]
    assert shares(counts, RATES["false_positive_rate"]).n.tolist() == [1, 1]


@pytest.mark.parametrize("by_subject", [False, True])
@pytest.mark.parametrize("name", ["sensitivity", "specificity", "ppv", "npv", "accuracy"])
def test_every_cell_has_the_interval_of_its_own_cases(cases, name, by_subject):
    label, prediction, subject, part = cases
    subject = subject if by_subject else None
    rate = RATES[name]
    outcome = outcome_codes(label, prediction)
    found = shares(tally(outcome, part, subject=subject), rate)
    low, high = ranges.proportions(found.value, found.size, found.df, found.n > 0).limits(
        np.array([1.959963984540054])
    )
    for cell in range(len(part)):
        chosen = (part.code == cell) & np.isin(outcome, rate.among)
        alone = statistics.proportion(
            np.isin(outcome, rate.success)[chosen],
            None if subject is None else subject[chosen],
            alphas=(0.05,),
        )
        assert found.n[cell] == alone.n
        if alone.value is None:
            continue
        assert found.value[cell] == alone.value
        assert low[cell] == pytest.approx(alone.intervals[0].low, abs=1e-12)
        assert high[cell] == pytest.approx(alone.intervals[0].high, abs=1e-12)


def test_equal_weights_change_nothing(cases):
    label, prediction, _, part = cases
    outcome = outcome_codes(label, prediction)
    plain = shares(tally(outcome, part), RATES["ppv"])
    weighted = shares(tally(outcome, part, weight=np.full(len(label), 3.5)), RATES["ppv"])
    np.testing.assert_allclose(weighted.value, plain.value)
    np.testing.assert_allclose(weighted.size, plain.size)


def test_a_weight_of_two_counts_a_case_twice_but_not_as_two(cases):
    label, prediction, _, part = cases
    outcome = outcome_codes(label, prediction)
    weight = np.where(label, 2.0, 1.0)
    found = shares(tally(outcome, part, weight=weight), RATES["accuracy"])
    hit = outcome % 3 == 0
    chosen = part.code == 0
    expected = (weight * hit)[chosen].sum() / weight[chosen].sum()
    assert found.value[0] == pytest.approx(expected)
    assert found.n[0] == chosen.sum()
    assert found.size[0] <= chosen.sum()
