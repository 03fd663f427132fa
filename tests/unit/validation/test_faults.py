import numpy as np
import pytest

from titian.dataset.phantom import make_phantom
from titian.validation.checks import (
    calibration,
    find_disparities,
    findings,
    poor_discrimination,
)
from titian.validation.faults import (
    LEVEL,
    controls,
    miss_group,
    plant_site_shift,
    sharpen_scores,
    shuffle_scores,
    simulate,
    swap_labels,
)

BINARY = {"positive": "1", "label": "y"}


def found_by(cases, alpha=LEVEL):
    rng = np.random.default_rng(1)
    return {
        "disparity": bool(find_disparities(cases, alpha=alpha, **BINARY)),
        "poor": bool(poor_discrimination(cases, positive="1", alpha=alpha)),
        "miscalibrated": calibration(cases, positive="1", alpha=alpha, rng=rng).p_value < alpha,
    }


@pytest.mark.parametrize("seed", range(3))
def test_each_check_is_green_on_honest_cases_and_red_on_its_fault(seed):
    rng = np.random.default_rng(seed)
    honest = simulate(rng)
    assert found_by(honest) == {"disparity": False, "poor": False, "miscalibrated": False}
    assert found_by(shuffle_scores(honest, rng))["poor"]
    assert found_by(swap_labels(honest))["poor"]
    assert found_by(miss_group(honest, "group", "b", 1))["disparity"]
    assert found_by(sharpen_scores(honest))["miscalibrated"]


def test_the_disparity_names_the_group():
    planted = miss_group(simulate(np.random.default_rng(4)), "group", "c", 1)
    first = find_disparities(planted, alpha=LEVEL, **BINARY)[0]
    assert (first.measure, first.column, first.group) == ("sensitivity", "group", "c")


def test_too_few_cases_are_replaced_by_simulated_ones_and_said_so():
    few = simulate(np.random.default_rng(5), n=40)
    ran = controls(few, rng=np.random.default_rng(6), **BINARY)
    assert all(control.found for control in ran)
    assert all("in 2000 simulated cases" in control.fault for control in ran)


def test_enough_cases_carry_the_fault_themselves():
    ran = controls(simulate(np.random.default_rng(7)), rng=np.random.default_rng(8), **BINARY)
    assert all(control.found for control in ran)
    assert sum("in the run's cases" in control.fault for control in ran) == 3


def test_false_alarms_stay_at_the_level():
    """At alpha 0.05 instead of 1e-4, where a simulation can count them."""
    rng = np.random.default_rng(9)
    alarms = {"disparity": 0, "miscalibrated": 0}
    for _ in range(100):
        told = found_by(simulate(rng, n=400), alpha=0.05)
        alarms = {name: count + told[name] for name, count in alarms.items()}
    assert max(alarms.values()) <= 5 + 3 * np.sqrt(5)


def test_honest_cases_give_no_finding_and_poor_ones_say_so():
    rng = np.random.default_rng(10)
    assert findings(simulate(rng), alpha=0.001, rng=rng, **BINARY) == ()
    told = findings(shuffle_scores(simulate(rng), rng), alpha=0.05, rng=rng, **BINARY)
    assert "validation.poor_discrimination" in {item.code for item in told}
    assert {item.where for item in told} == {"2000 cases of the test part"}


def test_the_site_shift_touches_malignant_test_pictures_of_one_site_only():
    study = make_phantom(seed=1, patients=30)
    planted = plant_site_shift(study, rng=np.random.default_rng(2), site="south")
    assert planted.check == "validation.disparity"
    assert planted.cases
    for number, (before, after) in enumerate(
        zip(study.cases, planted.study.cases, strict=True)
    ):
        touched = before.malignant and before.fold == "test" and before.site == "south"
        assert (number in planted.cases) == touched
        assert np.array_equal(before.pixels, after.pixels) != touched
