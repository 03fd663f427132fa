"""Groups that are too small never vanish and never make a gap look like nothing."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.validation.disparity.tables_of_cases import column, outcomes

from titian import statistics
from titian.errors import InputError
from titian.validation.disparity import GAPS, Outcomes, disparity, figures, findings
from titian.validation.disparity.faults import LEVEL, controls, simulate
from titian.validation.disparity.findings import standing
from titian.values import VerdictValue


def gap_of(found, name, by=("site",)):
    return next(gap for gap in found.gaps if gap.name == name and gap.by == by)


def test_gaps_by_hand():
    # Group a: 4 of 8 positives found, 2 of 12 negatives called. Group b: 9 of 10, 6 of 10.
    table = {"a": (4, 4, 2, 10), "b": (9, 1, 6, 4)}
    label, prediction, group = [], [], []
    for name, (tp, fn, fp, tn) in table.items():
        label += [True] * (tp + fn) + [False] * (fp + tn)
        prediction += [True] * tp + [False] * fn + [True] * fp + [False] * tn
        group += [name] * (tp + fn + fp + tn)
    found = disparity(
        Outcomes(
            label=np.array(label),
            prediction=np.array(prediction),
            groups=(column("site", group),),
        ),
        least=1,
    )
    assert gap_of(found, "demographic_parity").value == pytest.approx(15 / 20 - 6 / 20)
    assert gap_of(found, "equal_opportunity").value == pytest.approx(0.9 - 0.5)
    assert gap_of(found, "equalized_odds").value == pytest.approx(6 / 10 - 2 / 12)
    assert gap_of(found, "predictive_parity").value == pytest.approx(4 / 6 - 9 / 15)
    assert gap_of(found, "demographic_parity_ratio").value == pytest.approx(6 / 15)
    assert gap_of(found, "equalized_odds_ratio").value == pytest.approx((2 / 12) / (6 / 10))
    assert gap_of(found, "equal_opportunity").lowest == {"site": "a"}
    assert gap_of(found, "equal_opportunity").highest == {"site": "b"}


def test_every_gap_holds_its_own_estimate():
    found = disparity(outcomes(), intersections=2)
    assert {gap.name for gap in found.gaps} == set(GAPS)
    for gap in found.gaps:
        assert gap.low <= gap.value <= gap.high


def test_a_group_of_one_class_is_not_shown_and_widens_the_gap():
    whole, cut = disparity(outcomes(small=40)), disparity(outcomes())
    row = next(
        row
        for row in whole.rows
        if row.measurement.name == "sensitivity" and row.measurement.subgroup == {"site": "c"}
    )
    assert row.measurement.value is None
    assert row.measurement.reason == "no positives; at least 10 are needed"
    assert row.lacking == 10
    wide, plain = (gap_of(item, "equal_opportunity") for item in (whole, cut))
    assert wide.value == plain.value
    assert wide.low == pytest.approx(plain.low, abs=1e-6)
    assert wide.high > 0.5 > plain.high
    assert [item.subgroup for item in wide.unshown] == [{"site": "c"}]
    assert wide.unshown[0].lacking == 10


def test_a_gap_of_which_a_group_is_unknown_is_never_met():
    found = disparity(outcomes(small=40), max_gap=0.3)
    assert gap_of(found, "equal_opportunity").verdict is VerdictValue.NOT_SHOWN
    assert gap_of(disparity(outcomes(), max_gap=0.3), "equal_opportunity").verdict is (
        VerdictValue.MET
    )


def test_one_group_alone_has_no_gap():
    found = disparity(outcomes(n=30), least=1_000)
    gap = gap_of(found, "demographic_parity")
    assert gap.value is None
    assert gap.reason == "no group is large enough; a gap needs two"


def test_measures_of_a_group_are_those_of_its_cases():
    table = outcomes(3)
    found = disparity(table)
    chosen = table.groups[0].code == table.groups[0].names.index("b")
    expected = {
        "auc": statistics.auc(table.score[chosen], table.label[chosen], None, alphas=(0.05,)),
        "brier": statistics.brier(
            table.score[chosen], table.label[chosen].astype(np.int64), None, alphas=(0.05,)
        ),
        "f1": statistics.f1(
            table.label[chosen], table.prediction[chosen], None, alphas=(0.05,)
        ),
        "balanced_accuracy": statistics.balanced_accuracy(
            table.label[chosen].astype(np.int64),
            table.prediction[chosen].astype(np.int64),
            None,
            classes=2,
            alphas=(0.05,),
        ),
    }
    for name, alone in expected.items():
        row = next(
            row.measurement
            for row in found.rows
            if row.measurement.name == name and row.measurement.subgroup == {"site": "b"}
        )
        assert row.value == pytest.approx(alone.value, abs=1e-12)
        assert row.low == pytest.approx(alone.intervals[0].low, abs=1e-9)
        assert row.high == pytest.approx(alone.intervals[0].high, abs=1e-9)


def test_settings_out_of_range_are_refused_together():
    with pytest.raises(InputError) as refused:
        disparity(outcomes(), alpha=0.6, intersections=0, max_gap=2.0)
    assert str(refused.value) == (
        "T-V111: the confidence is 0.4; it lies above 0.5 and below 1. Give 0.95 for 95 %.\n"
        "T-V111: the number of columns to combine is 0; it is at least 1. Give 1 for single "
        "columns, 2 for pairs.\n"
        "T-V111: the largest gap allowed is 2; it lies in [0, 1]. Give a difference of shares "
        "such as 0.1."
    )


def test_controls_find_every_planted_disparity():
    for control in controls(np.random.default_rng(1)):
        assert control.found, control
        assert control.false_alarm_rate == LEVEL


def test_honest_tables_seldom_yield_a_gap():
    accused = sum(
        bool(standing(disparity(_decisions(simulate(np.random.default_rng(seed))))))
        for seed in range(12)
    )
    assert accused <= 3


def _decisions(table: Outcomes) -> Outcomes:
    return Outcomes(label=table.label, prediction=table.prediction, groups=table.groups)


def test_findings_name_the_gap_and_the_small_group():
    table = outcomes(small=5)
    told = findings(disparity(table, max_gap=0.0001))
    small = [item for item in told if item.code == "disparity.group_too_small"]
    assert small[0].what == "1 groups are too small for some measure: site=c (10 more)."
    assert not [item for item in told if item.code == "disparity.gap"]


def test_figures_draw_what_is_not_shown_as_not_shown():
    found = disparity(outcomes(small=40))
    drawn = {figure.name: figure for figure in figures(found)}
    row = next(row for row in drawn["disparity_sensitivity"].rows if row.label == "c")
    assert (row.value, row.low, row.high) == (None, None, None)
    labels = [row.label for row in drawn["disparity_gaps"].rows]
    assert "equal opportunity (2 groups, 1 not shown)" in labels


def test_a_bound_on_gaps_without_groups_is_refused():
    alone = Outcomes(label=np.array([True, False]), prediction=np.array([True, False]))
    for bound in ({"max_gap": 0.1}, {"min_ratio": 0.8}):
        with pytest.raises(InputError, match="no column of groups is named"):
            disparity(alone, **bound)


def test_a_gap_of_calibration_is_at_most_two():
    label = np.tile([True, False], 60)
    found = disparity(
        Outcomes(
            label=label,
            score=np.where(label, 0.8, 0.2),
            groups=(column("site", ["a"] * 60 + ["b"] * 58 + ["c"] * 2),),
        ),
    )
    gap = gap_of(found, "calibration_gap")
    assert gap.high is not None
    assert 1.0 < gap.high <= 2.0
