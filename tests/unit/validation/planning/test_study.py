from __future__ import annotations

import numpy as np
import pytest

from titian import statistics
from titian.errors import InputError
from titian.statistics.sample_size import Bound, drawn_share_power, share_power
from titian.validation.planning.design import Design
from titian.validation.planning.study import Plan, plan


def planned(**asked) -> Plan:
    return plan(Design(**asked), rng=np.random.default_rng(1))


def refused(**asked) -> list[str]:
    with pytest.raises(InputError) as caught:
        planned(**asked)
    return [str(problem) for problem in caught.value.problems]


def test_a_share_needs_positives_and_with_a_prevalence_cases() -> None:
    found = planned(measure="sensitivity", expect=0.9, at_least=0.85)
    assert (found.counted, found.denominator, found.cases) == ("positives", 483, None)
    assert found.power == pytest.approx(share_power(np.array([483]), 0.9, Bound(at_least=0.85)))
    with_cases = planned(measure="sensitivity", expect=0.9, at_least=0.85, prevalence=0.1)
    assert with_cases.denominator == 483
    assert with_cases.cases == with_cases.subjects == 4755
    assert with_cases.power >= 0.9
    assert drawn_share_power(4754, 0.1, 0.9, Bound(at_least=0.85)) < 0.9
    curve = {point.cases: point.power for point in with_cases.curve}
    assert curve[4755] == with_cases.power
    assert list(curve.values()) == sorted(curve.values())


def test_specificity_counts_negatives_and_accuracy_cases() -> None:
    one = planned(measure="specificity", expect=0.9, at_least=0.85, prevalence=0.9)
    assert one.counted == "negatives"
    assert one.cases == 4755
    assert planned(measure="accuracy", expect=0.9, at_least=0.85).cases == 483


def test_every_group_must_clear_the_bound() -> None:
    alone = planned(measure="accuracy", expect=0.9, at_least=0.85, group_shares=(0.2,))
    both = planned(measure="accuracy", expect=0.9, at_least=0.85, group_shares=(0.2, 0.3))
    many = planned(measure="accuracy", expect=0.9, at_least=0.85, group_shares=(0.2,) * 5)
    assert alone.cases < both.cases < many.cases
    assert many.notes == (
        "The power is that of all groups clearing the bound, each by itself.",
    )


def test_clustering_costs_about_the_design_effect() -> None:
    alone = planned(measure="sensitivity", expect=0.9, at_least=0.8)
    few = planned(measure="sensitivity", expect=0.9, at_least=0.8, cases_per_subject=4, icc=0.5)
    assert few.design.design_effect == 2.5
    assert few.denominator / alone.denominator == pytest.approx(2.5, rel=0.15)


def test_a_gap_is_planned_for_both_groups_together() -> None:
    found = planned(
        measure="sensitivity", gap=True, around=0.9, expect=0.02, at_most=0.15, prevalence=0.3,
        group_shares=(0.4,),
    )  # fmt: skip
    assert found.denominator < found.cases
    assert found.denominator / found.cases == pytest.approx(0.3, rel=0.1)
    assert found.power == pytest.approx(0.9, abs=0.01)


def test_a_smaller_worse_group_needs_more() -> None:
    def cases(share: float) -> int:
        return planned(
            measure="accuracy", gap=True, around=0.9, expect=0.05, at_most=0.2,
            group_shares=(share,),
        ).cases  # fmt: skip

    assert cases(0.1) > cases(0.5)


def test_an_auc_is_planned_by_simulation() -> None:
    design = Design(measure="auc", expect=0.95, at_least=0.8, prevalence=0.5, power=0.8)
    found = plan(design, rng=np.random.default_rng(1), draws_of_scores=60)
    assert found.denominator is None
    assert 30 < found.cases < 120
    assert found.method == "60 simulated studies for each number tried"


def test_the_power_is_reached_in_simulated_studies() -> None:
    found = planned(
        measure="sensitivity", expect=0.9, at_least=0.75, prevalence=0.4, cases_per_subject=3,
        icc=0.4,
    )  # fmt: skip
    rng = np.random.default_rng(9)
    met = []
    for _ in range(1_000):
        positive = np.repeat(rng.random(found.subjects) < 0.4, 3)
        chance = np.repeat(rng.beta(0.9 * 1.5, 0.1 * 1.5, found.subjects), 3)
        right = rng.random(len(chance)) < chance
        subject = np.repeat(np.arange(found.subjects), 3)
        share = statistics.proportion(right[positive], subject[positive], alphas=(0.05,))
        met.append(share.intervals[0].low >= 0.75)
    assert np.mean(met) == pytest.approx(0.9, abs=0.03)


def test_numbers_out_of_range_are_refused_together() -> None:
    found = refused(
        measure="sensitivity",
        expect=1.2,
        at_least=0.85,
        power=0.0,
        alpha=0.7,
        group_shares=(0.5, -0.1),
        cases_per_subject=0,
    )
    share = "Write a share, such as 0.9 for 90 %."
    assert found == [
        f"T-V220: --expect is 1.2; it lies between 0 and 1. {share}",
        f"T-V220: --power is 0; it lies between 0 and 1. {share}",
        f"T-V220: --confidence is 0.3; it lies between 0.5 and 1. {share}",
        f"T-V220: --group-share is -0.1; it lies between 0 and 1. {share}",
        "T-V220: --cases-per-subject is 0; it is 1 or more. Write how many cases a subject has "
        "on average.",
    ]


@pytest.mark.parametrize("expect", [0.85, 0.8, 0.8500001])
def test_what_cannot_clear_the_bound_is_refused(expect: float) -> None:
    assert refused(measure="sensitivity", expect=expect, at_least=0.85) == [
        f"T-V221: {expect:g} is expected and at least 0.85 is to be shown; no study of up to "
        "5,000,000 cases shows that with the power wanted. Expect what earlier studies found, "
        "and leave room for chance between the two."
    ]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"measure": "f1"}, "--measure f1 cannot be planned."),
        ({"at_least": None}, "a study needs exactly one bound."),
        ({"at_most": 0.95}, "a study needs exactly one bound."),
        ({"gap": True, "around": 0.95}, "a gap has an upper bound."),
        (
            {"gap": True, "at_least": None, "at_most": 0.2, "expect": 0.1},
            "--gap needs the level around which the gap lies.",
        ),
        (
            {"gap": True, "at_least": None, "at_most": 0.6, "expect": 0.5, "around": 0.4},
            "a group 0.5 below --around 0.4 has nothing left.",
        ),
        ({"around": 0.9}, "--around belongs to --gap."),
        ({"measure": "auc"}, "the AUC needs both classes."),
        ({"icc": 0.3}, "--icc says nothing where a subject has one case."),
        ({"group_shares": (0.7, 0.7)}, "the group shares sum to 1.4."),
    ],
)
def test_options_that_do_not_go_together_are_refused(asked: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(**{"measure": "sensitivity", "expect": 0.9, "at_least": 0.85, **asked})
    assert ("T-V222", message) in [(p.code, p.message) for p in caught.value.problems]
