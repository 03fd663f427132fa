from __future__ import annotations

import numpy as np
import pytest

from titian.errors import InputError
from titian.validation.cases import Cases
from titian.validation.comparison.measuring import BOOTSTRAP, DELONG, McNEMAR
from titian.validation.comparison.pairing import Pair
from titian.validation.comparison.verdicts import (
    Compared,
    Comparison,
    NonInferiority,
    Superiority,
    compare,
)


def model(
    label: np.ndarray, score: np.ndarray, groups: dict[str, np.ndarray] | None = None
) -> Cases:
    n = len(label)
    return Cases(
        id=np.full(n, "", dtype="<U1"),
        label=label.astype(np.int64),
        prediction=(score > 0.5).astype(np.int64),
        scores=np.stack([1 - score, score], axis=1),
        classes=("0", "1"),
        groups=groups or {},
    )


def scored(rng: np.random.Generator, label: np.ndarray, distance: float) -> np.ndarray:
    reading = rng.standard_normal(len(label)) + distance * label
    return 1 / (1 + np.exp(-(distance * reading - distance**2 / 2)))


def pair(n: int = 600, a: float = 1.0, b: float = 2.5, seed: int = 1, **groups) -> Pair:
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.5
    return Pair(
        a=model(label, scored(rng, label, a), groups),
        b=model(label, scored(rng, label, b), groups),
        place=1,
        has_prediction=True,
        has_score=True,
    )


def row(found: Comparison, name: str, **subgroup: str) -> Compared:
    (chosen,) = (
        item
        for item in found.rows
        if item.contrast.name == name and (item.contrast.subgroup or {}) == subgroup
    )
    return chosen


def test_a_planted_improvement_is_found_in_every_measure() -> None:
    found = compare(pair(), margin=0.05)
    for name in ("sensitivity", "accuracy", "ppv", "f1", "balanced_accuracy", "auc", "brier"):
        assert row(found, name).verdict is Superiority.BETTER, name
        assert row(found, name).non_inferiority is NonInferiority.NON_INFERIOR, name
    tests = {item.contrast.name: item.contrast.test for item in found.rows}
    assert tests["accuracy"].name == McNEMAR
    assert tests["auc"].name == DELONG
    assert tests["ppv"].name == BOOTSTRAP
    assert tests["expected_calibration_error"] is None


def test_a_planted_decline_is_found_and_is_inferior() -> None:
    found = compare(pair(a=2.5, b=1.0), margin=0.05, measures=["auc", "brier", "accuracy"])
    assert [item.contrast.name for item in found.rows] == ["accuracy", "auc", "brier"]
    for item in found.rows:
        assert item.verdict is Superiority.WORSE
        assert item.non_inferiority is NonInferiority.INFERIOR


def test_a_model_is_neither_better_nor_worse_than_itself() -> None:
    same = pair()
    found = compare(
        Pair(a=same.a, b=same.a, place=1, has_prediction=True, has_score=True), margin=0.05
    )
    for item in found.rows:
        assert item.verdict is Superiority.NOT_SHOWN
        assert item.contrast.difference.value == 0.0
        assert item.reason in ("", "the difference may be 0")
    assert row(found, "auc").non_inferiority is NonInferiority.NON_INFERIOR


def test_too_few_cases_say_how_many_more() -> None:
    found = compare(pair(60, 1.0, 1.6, seed=5), measures=["auc"])
    item = row(found, "auc")
    assert item.verdict is Superiority.NOT_SHOWN
    assert item.reason == "the difference may be 0"
    assert item.more_cases is not None
    assert item.more_cases > 0


def test_groups_are_corrected_together_and_an_empty_one_does_not_vanish() -> None:
    rng = np.random.default_rng(9)
    n = 800
    label = rng.random(n) < 0.5
    site = np.array(["east", "north", "south", "west"])[np.arange(n) % 4]
    label[site == "north"] = False
    a, b = scored(rng, label, 1.2), scored(rng, label, 1.2)
    b[site == "south"] = scored(rng, label[site == "south"], 4.0)
    groups = {"site": site}
    found = compare(
        Pair(
            a=model(label, a, groups),
            b=model(label, b, groups),
            place=1,
            has_prediction=True,
            has_score=True,
        ),
        measures=["sensitivity"],
        margin=0.1,
    )
    assert found.family == 4
    assert len(found.notes) == 1
    assert "corrected over the 4 groups" in found.notes[0]
    assert row(found, "sensitivity", site="south").verdict is Superiority.BETTER
    assert row(found, "sensitivity", site="east").verdict is Superiority.NOT_SHOWN
    empty = row(found, "sensitivity", site="north")
    assert empty.verdict is Superiority.NOT_SHOWN
    assert empty.non_inferiority is NonInferiority.NOT_SHOWN
    assert empty.reason == "A: no positives; B: no positives"
    south = row(found, "sensitivity", site="south")
    assert south.adjusted is not None
    assert south.adjusted.alpha == pytest.approx(0.05 / 3)  # the empty one is no test
    assert south.adjusted_p == pytest.approx(3 * south.contrast.test.p_value)


def test_what_does_not_survive_the_correction_is_not_shown() -> None:
    rng = np.random.default_rng(3)
    n = 2_000
    label = rng.random(n) < 0.5
    group = np.array([f"g{i:02d}" for i in range(20)])[np.arange(n) % 20]
    first, second = (scored(rng, label, 1.5) for _ in "ab")
    planted = group == "g07"
    second[planted] = scored(rng, label[planted], 1.7)
    groups = {"group": group}
    pairs = Pair(
        a=model(label, first, groups),
        b=model(label, second, groups),
        place=1,
        has_prediction=True,
        has_score=True,
    )
    item = row(compare(pairs, measures=["auc"]), "auc", group="g07")
    assert 0.05 / 20 < item.contrast.test.p_value < 0.05
    assert item.contrast.difference.intervals[0].low > 0.0
    assert item.verdict is Superiority.NOT_SHOWN
    assert item.adjusted.alpha == 0.05 / 20
    assert item.adjusted.low < 0.0
    assert item.reason == (
        "the interval excludes 0, but not after the correction for the groups"
    )


def test_bad_requests_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        compare(pair(20), measures=["speed", "auc"], margin=2.0, alpha=0.5)
    assert [str(problem) for problem in caught.value.problems] == [
        "T-V210: measure 'speed' is no measure; here there are sensitivity, specificity, ppv, "
        "npv, accuracy, balanced_accuracy, f1, auc, average_precision, brier, "
        "expected_calibration_error. Name one of these, or give --prediction or --score as it "
        "needs.",
        "T-V211: margin is 2; it lies above 0 and below 1, in the unit of the measure. Say how "
        "much worse B may be, such as 0.05 for five points.",
        "T-V211: confidence is 0.5; it lies above 0.5 and below 1. Use 0.95 unless you have a "
        "reason.",
    ]


def test_a_measure_without_its_column_is_refused() -> None:
    both = pair(20)
    decisions = Pair(a=both.a, b=both.b, place=1, has_prediction=True, has_score=False)
    with pytest.raises(InputError) as caught:
        compare(decisions, measures=["auc"])
    assert caught.value.problems[0].message.startswith(
        "measure 'auc' needs a column that was not named, or two classes; here there are "
    )


def test_the_result_does_not_hang_on_which_measures_are_asked_for() -> None:
    both = pair(200, 1.0, 1.3)
    alone = compare(both, measures=["f1"], seed=4)
    assert row(alone, "f1") == row(compare(both, seed=4), "f1")


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    compare(pair(50), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (11, 11)
