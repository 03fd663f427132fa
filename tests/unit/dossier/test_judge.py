"""What the verdict table promises, on cases worked by hand."""

from __future__ import annotations

from dataclasses import replace

from titian.dossier.judge import Witness, bound_text, judge
from titian.values import (
    ALL_GROUPS,
    Attribute,
    Control,
    Finding,
    Interval,
    Measurement,
    Requirement,
    Severity,
    Verdict,
    VerdictValue,
    to_json,
)

ALPHA = 0.05
DIGEST = "a" * 64


def measured(name, value, low, high, *, n=200, subgroup=None, ladder=6, widen=0.01):
    """A measurement whose interval grows by `widen` at each step of the ladder."""
    return Measurement(
        name=name,
        value=value,
        n=n,
        subgroup=subgroup,
        method="by hand",
        intervals=tuple(
            Interval(alpha=ALPHA / (k + 1), low=low - widen * k, high=high + widen * k)
            for k in range(ladder)
        ),
    )


def witness(*measurements, findings=(), controls=(), stage="validate", digest=DIGEST):
    return Witness(
        digest=digest,
        predicate={
            "stage": stage,
            "measurements": to_json(measurements),
            "findings": to_json(findings),
            "controls": to_json(controls),
        },
    )


def one(requirement, *witnesses, **known) -> Verdict:
    (row,) = judge([requirement], witnesses, alpha=ALPHA, **known)
    return row


def finding(code):
    return Finding(
        code=code, severity=Severity.ERROR, what="w", where="case 1", remedy="Fix it."
    )


def control(check, *, found=True):
    return Control(check=check, fault="f", found=found, detail="d", false_alarm_rate=0.0)


SENSITIVITY = Requirement(id="R1", measure="sensitivity", at_least=0.80)
NO_LEAK = Requirement(id="R5", finding="data.subject_leak", at_most=0)


def test_whole_interval_above_the_bound_is_met():
    row = one(
        SENSITIVITY, witness(measured("auc", 1, 1, 1), measured("sensitivity", 0.9, 0.85, 0.94))
    )
    assert row == Verdict(
        id="R1",
        verdict=VerdictValue.MET,
        measure="sensitivity",
        bound=">= 0.80",
        value=0.9,
        low=0.85,
        high=0.94,
        n=200,
        evidence={"statement": DIGEST, "pointer": "/predicate/measurements/1"},
    )


def test_whole_interval_below_the_bound_is_not_met():
    row = one(SENSITIVITY, witness(measured("sensitivity", 0.6, 0.52, 0.68)))
    assert (row.verdict, row.reason, row.more_cases) == (VerdictValue.NOT_MET, "", None)


def test_interval_across_the_bound_is_not_shown_with_the_cases_needed():
    row = one(SENSITIVITY, witness(measured("sensitivity", 0.86, 0.78, 0.92, n=100)))
    assert row.verdict is VerdictValue.NOT_SHOWN
    assert row.reason == "the bound lies within the interval"
    # the lower half-width 0.08 has to shrink to 0.06: 100 * (8/6)**2 = 177.8 -> 78 more
    assert row.more_cases == 78


def test_upper_bound_is_judged_by_the_upper_end():
    need = Requirement(id="R4", measure="brier", at_most=0.10)
    assert one(need, witness(measured("brier", 0.05, 0.03, 0.08))).verdict == "met"
    assert one(need, witness(measured("brier", 0.15, 0.12, 0.18))).verdict == "not met"
    assert one(need, witness(measured("brier", 0.09, 0.05, 0.13))).verdict == "not shown"


def test_missing_measurement_is_not_shown_and_named():
    row = one(SENSITIVITY, witness(measured("auc", 0.9, 0.8, 0.95)))
    assert row.verdict is VerdictValue.NOT_SHOWN
    assert row.reason == "no statement of this run holds a measurement 'sensitivity'"
    assert row.value is None
    assert row.evidence is None


def test_unknown_value_gives_the_measurements_own_reason():
    unknown = Measurement(name="sensitivity", value=None, n=40, reason="no positives")
    row = one(SENSITIVITY, witness(unknown))
    assert (row.verdict, row.reason, row.n) == ("not shown", "no positives", 40)


def test_value_without_interval_is_never_met():
    bare = Measurement(name="sensitivity", value=0.99, n=40)
    row = one(SENSITIVITY, witness(bare))
    assert (row.verdict, row.reason) == ("not shown", "the measurement has no interval")


def test_min_count_counts_the_denominator_and_says_how_many_more():
    need = Requirement(id="R1", measure="sensitivity", at_least=0.8, min_count=30)
    row = one(need, witness(measured("sensitivity", 0.99, 0.9, 1.0, n=12)))
    assert (row.verdict, row.more_cases) == ("not shown", 18)
    assert row.reason == "n is 12; min_count is 30"
    assert one(need, witness(measured("sensitivity", 0.99, 0.9, 1.0, n=30))).verdict == "met"


def test_for_each_gives_a_row_per_group_of_each_column_without_crossings():
    need = Requirement(id="R2", measure="sensitivity", at_least=0.7, for_each=("sex", "age"))
    groups = [{"sex": "F"}, {"sex": "M"}, {"age": "[0,40)"}, {"age": "[40,65)"}]
    rows = judge(
        [need],
        [
            witness(
                measured("sensitivity", 0.9, 0.85, 0.94),
                *(measured("sensitivity", 0.9, 0.85, 0.94, subgroup=group) for group in groups),
                measured("sensitivity", 0.1, 0.0, 0.2, subgroup={"sex": "F", "age": "[0,40)"}),
            )
        ],
        alpha=ALPHA,
    )
    assert [row.subgroup for row in rows] == groups
    assert {row.verdict for row in rows} == {VerdictValue.MET}


def test_family_is_corrected_when_it_accuses_and_not_when_it_acquits():
    need = Requirement(id="R2", measure="sensitivity", at_least=0.7, for_each=("site",))
    rows = judge(
        [need],
        [
            witness(
                # at alpha: 0.695 < 0.70 would accuse; at alpha/2 the upper end is 0.705
                measured("sensitivity", 0.6, 0.5, 0.695, subgroup={"site": "A"}),
                # met at alpha (0.70), though its interval at alpha/2 reaches down to 0.69
                measured("sensitivity", 0.8, 0.70, 0.9, subgroup={"site": "B"}),
            )
        ],
        alpha=ALPHA,
    )
    assert [row.verdict for row in rows] == ["not shown", "met"]
    assert rows[0].adjusted_alpha == ALPHA / 2
    assert rows[0].adjusted_high == 0.705
    assert rows[0].high == 0.695
    assert rows[0].reason == (
        "the interval violates the bound, but not after the correction for the family"
    )


def test_holm_steps_down_after_the_first_accusation():
    need = Requirement(id="R2", measure="sensitivity", at_least=0.7, for_each=("site",))
    rows = judge(
        [need],
        [
            witness(
                measured("sensitivity", 0.3, 0.2, 0.4, subgroup={"site": "A"}),
                measured("sensitivity", 0.6, 0.5, 0.695, subgroup={"site": "B"}),
            )
        ],
        alpha=ALPHA,
    )
    assert [row.verdict for row in rows] == ["not met", "not met"]
    assert [row.adjusted_alpha for row in rows] == [ALPHA / 2, ALPHA]


def test_group_below_min_count_leaves_the_family():
    need = Requirement(
        id="R2", measure="sensitivity", at_least=0.7, for_each=("site",), min_count=30
    )
    rows = judge(
        [need],
        [
            witness(
                measured("sensitivity", 0.6, 0.5, 0.695, subgroup={"site": "A"}),
                measured("sensitivity", 0.1, 0.0, 0.2, n=7, subgroup={"site": "B"}),
            )
        ],
        alpha=ALPHA,
    )
    assert [row.verdict for row in rows] == ["not met", "not shown"]
    assert rows[0].adjusted_alpha == ALPHA


def test_band_without_any_measurement_keeps_its_row():
    need = Requirement(id="R2", measure="auc", at_least=0.7, for_each=("age",))
    rows = judge(
        [need],
        [witness(measured("auc", 0.9, 0.85, 0.94, subgroup={"age": "[0,40)"}))],
        alpha=ALPHA,
        attributes=[Attribute(column="age", bands=(0, 40, 65.5))],
    )
    assert [(row.subgroup, row.verdict) for row in rows] == [
        ({"age": "[0,40)"}, "met"),
        ({"age": "[40,65.5)"}, "not shown"),
    ]
    assert rows[1].reason == "no measurement 'auc' in this group"


def test_a_gap_has_one_row_a_column_and_none_for_its_bands():
    need = Requirement(id="R6", measure="auc_gap", at_most=0.2, for_each=("age",))
    row = one(
        need,
        witness(measured("auc_gap", 0.1, 0.05, 0.15, subgroup={"age": ALL_GROUPS})),
        attributes=[Attribute(column="age", bands=(0, 40, 65.5))],
    )
    assert (row.subgroup, row.verdict) == ({"age": "all groups"}, "met")


def test_a_bound_is_told_in_the_unit_of_what_was_measured():
    need = Requirement(id="R7", measure="latency_p99", at_most=50)
    row = one(need, witness(replace(measured("latency_p99", 9.0, 8.0, 11.0), unit="ms")))
    assert (row.bound, row.verdict) == ("<= 50 ms", "met")


def test_column_without_any_measurement_is_not_shown():
    need = Requirement(id="R2", measure="auc", at_least=0.7, for_each=("view",))
    row = one(need, witness(measured("auc", 0.9, 0.85, 0.94)))
    assert (row.verdict, row.reason) == ("not shown", "no measurement 'auc' by column 'view'")


def test_classes_of_one_model_are_one_family():
    rows = judge(
        [SENSITIVITY],
        [
            witness(
                measured("sensitivity", 0.85, 0.81, 0.89),
                measured("sensitivity", 0.9, 0.85, 0.94, subgroup={"kind": "benign"}),
                measured("sensitivity", 0.6, 0.5, 0.65, subgroup={"kind": "malignant"}),
            )
        ],
        alpha=ALPHA,
        label="kind",
    )
    assert [row.subgroup for row in rows] == [{"kind": "benign"}, {"kind": "malignant"}]
    assert [row.verdict for row in rows] == ["met", "not met"]
    assert rows[1].adjusted_alpha == ALPHA / 2


def test_classes_within_groups_are_one_family():
    need = Requirement(id="R2", measure="sensitivity", at_least=0.7, for_each=("sex",))
    rows = judge(
        [need],
        [
            witness(
                *(
                    measured(
                        "sensitivity", 0.9, 0.85, 0.94, subgroup={"kind": kind, "sex": sex}
                    )
                    for sex in "FM"
                    for kind in "xyz"
                )
            )
        ],
        alpha=ALPHA,
        label="kind",
    )
    assert len(rows) == 6
    assert {row.adjusted_alpha for row in rows} == {ALPHA / 6}


def test_the_last_statement_that_holds_the_measure_is_judged():
    row = one(
        SENSITIVITY,
        witness(measured("sensitivity", 0.99, 0.97, 1.0), stage="train", digest="b" * 64),
        witness(measured("sensitivity", 0.6, 0.5, 0.7)),
    )
    assert (row.verdict, row.evidence["statement"]) == ("not met", DIGEST)


def test_family_without_the_levels_it_needs_is_not_shown():
    need = Requirement(id="R2", measure="auc", at_least=0.7, for_each=("sex",))
    rows = judge(
        [need],
        [
            witness(
                *(measured("auc", 0.9, 0.8, 0.95, subgroup={"sex": s}, ladder=1) for s in "FM")
            )
        ],
        alpha=ALPHA,
    )
    assert [row.verdict for row in rows] == ["not shown", "not shown"]
    assert rows[0].reason == "no interval at alpha 0.025; there are 0.05"


def test_finding_is_not_shown_when_no_check_looked_for_it():
    row = one(NO_LEAK, witness(controls=[control("data.near_copy")]))
    assert (row.verdict, row.value) == ("not shown", None)
    assert row.reason == "no stage of this run checked for 'data.subject_leak'"


def test_no_finding_of_a_proven_check_is_met():
    row = one(NO_LEAK, witness(controls=[control("other"), control("data.subject_leak")]))
    assert (row.verdict, row.value, row.bound) == ("met", 0.0, "<= 0")
    assert row.evidence == {"statement": DIGEST, "pointer": "/predicate/controls/1"}


def test_findings_are_counted_over_all_statements_by_their_exact_code():
    first = witness(
        findings=[finding("data.subject_leak"), finding("data.subject_leak.other")],
        controls=[control("data.subject_leak")],
        digest="b" * 64,
    )
    second = witness(findings=[finding("data"), finding("data.subject_leak")])
    row = one(NO_LEAK, first, second)
    assert (row.verdict, row.value, row.n) == ("not met", 2.0, None)
    assert row.evidence == {"statement": "b" * 64, "pointer": "/predicate/findings/0"}
    lenient = Requirement(id="R5", finding="data.subject_leak", at_most=2)
    assert one(lenient, first, second).verdict == "met"


def test_check_that_missed_its_planted_fault_shows_nothing():
    row = one(NO_LEAK, witness(controls=[control("data.subject_leak", found=False)]))
    assert row.verdict is VerdictValue.NOT_SHOWN
    assert row.reason == "the check for 'data.subject_leak' did not catch its planted fault"


def test_finding_without_a_control_can_accuse_but_not_acquit():
    found = witness(findings=[finding("data.subject_leak")])
    assert one(NO_LEAK, found).verdict == "not met"
    lenient = Requirement(id="R5", finding="data.subject_leak", at_most=3)
    row = one(lenient, found)
    assert row.verdict == "not shown"
    assert row.reason == "no control shows that the check for 'data.subject_leak' can fail"


def test_bounds_are_written_with_two_decimals_or_exactly():
    def text(**bound):
        return bound_text(Requirement(id="R", measure="auc", **bound))

    assert text(at_least=0.8) == ">= 0.80"
    assert text(at_most=0.0825) == "<= 0.0825"
    assert text(at_least=1.0) == ">= 1.00"
    assert text(at_most=250.0) == "<= 250"
    assert bound_text(Requirement(id="R", finding="a.b", at_most=3)) == "<= 3"


def test_no_requirements_give_an_empty_table():
    assert judge([], [witness()], alpha=ALPHA) == ()
