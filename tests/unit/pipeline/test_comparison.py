"""Replays are compared number by number."""

from __future__ import annotations

import copy

from titian.pipeline.comparison import Outcome, ReplayReport, compare, not_replayed

THEN = {
    "stage": "validate",
    "measurements": [
        {
            "name": "auc",
            "subgroup": None,
            "value": 0.9,
            "n": 40,
            "intervals": [{"alpha": 0.05, "low": 0.8, "high": 0.95}],
        },
        {"name": "auc", "subgroup": {"sex": "F"}, "value": None, "n": 0, "intervals": []},
    ],
    "verdicts": [],
    "findings": [{"code": "validation.disparity", "where": "cases 1"}],
    "controls": [{"check": "auc", "found": True}],
}


def changed(**values):
    now = copy.deepcopy(THEN)
    now["measurements"][0].update(values)
    return now


def test_the_same_numbers_are_identical():
    row = compare(THEN, copy.deepcopy(THEN), tolerance=0.0)
    assert (row.outcome, row.detail) == (Outcome.IDENTICAL, "2 measurements and verdicts")


def test_a_small_change_is_within_tolerance():
    row = compare(THEN, changed(value=0.9005), tolerance=1e-3)
    assert (row.outcome, row.detail) == (Outcome.WITHIN, "auc by 0.0005; allowed 0.001")


def test_a_larger_change_differs():
    row = compare(THEN, changed(value=0.91), tolerance=1e-3)
    assert (row.outcome, row.detail) == (Outcome.DIFFERS, "auc by 0.01; allowed 0.001")


def test_an_interval_counts_as_well():
    now = changed(intervals=[{"alpha": 0.05, "low": 0.7, "high": 0.95}])
    assert compare(THEN, now, tolerance=1e-3).outcome is Outcome.DIFFERS


def test_a_number_that_became_unknown_differs():
    assert compare(THEN, changed(value=None), tolerance=1.0).outcome is Outcome.DIFFERS


def test_a_lost_measurement_differs():
    now = copy.deepcopy(THEN)
    del now["measurements"][1]
    row = compare(THEN, now, tolerance=1.0)
    assert row.detail == 'measurement auc {"sex": "F"} is in one run only'


def test_a_lost_finding_differs():
    now = copy.deepcopy(THEN) | {"findings": []}
    assert compare(THEN, now, tolerance=1.0).detail == "the findings are not the same"


def test_only_a_difference_fails_the_report():
    honest = ReplayReport(rows=(not_replayed(THEN, "needs the data"),))
    assert not honest.failed
    assert honest.lines == ["validate: not replayed (needs the data)"]
    assert ReplayReport(rows=(compare(THEN, changed(value=0.5), tolerance=0),)).failed
