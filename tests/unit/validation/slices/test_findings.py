"""Findings, measurements and pictures of a search; the control finds what was planted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from titian.validation.slices import faults, find_slices
from titian.validation.slices.faults import plant_slice, simulate, slice_controls
from titian.validation.slices.findings import (
    slice_figures,
    slice_findings,
    slice_measurements,
)
from titian.values import BarFigure, TableFigure


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(8)
    features, error = simulate(rng, n=6_000)
    error, _ = plant_slice(features, error, ((0, 1), (3, 2)), rng=rng)
    return find_slices(features, error, rng=rng, support=50)


def test_a_finding_says_what_is_worse_and_how_sure_that_is(planted):
    (finding,) = slice_findings(planted)
    assert finding.code == "validation.slice"
    assert finding.what == (
        "column 0=b & column 3=c has an error rate of 0.517 against 0.108 elsewhere "
        "(p = 0.005, corrected for searching 820 slices). It explains 38 overlapping ones."
    )
    assert finding.where == "387 cases of the test part"


def test_a_measurement_has_no_interval_and_says_why(planted):
    first = slice_measurements(planted)[0]
    assert first.name == "slice_error"
    assert first.subgroup == {"column 0": "b", "column 3": "c"}
    assert first.value == pytest.approx(planted.groups[0].slice.error)
    assert first.intervals == ()
    assert first.reason.startswith("picked by a search")
    assert first.method == "search over slices, p = 0.005 by 199 permutations"


def test_the_picture_is_a_table_with_bars(planted):
    table, bars = slice_figures(planted)
    assert isinstance(table, TableFigure)
    assert isinstance(bars, BarFigure)
    assert table.rows[0][1] == "column 0=b & column 3=c"
    assert len(bars.categories) == len(table.rows) == len(planted.groups)
    assert bars.values[0][0] == planted.groups[0].slice.error


def test_nothing_found_is_no_finding_and_no_picture(planted):
    nothing = dataclasses.replace(planted, groups=())
    assert slice_findings(nothing) == ()
    assert slice_measurements(nothing) == ()
    assert slice_figures(nothing) == ()


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_the_control_plants_in_the_run_s_cases_where_they_suffice(rate):
    rng = np.random.default_rng(21)
    (control,) = slice_controls(*simulate(rng, rate=rate), rng=rng)
    assert control.check == "validation.slice"
    assert control.found
    assert control.fault.endswith("made wrong (in the run's cases)")
    assert control.false_alarm_rate == 0.005


@pytest.mark.parametrize("case", ["few", "wrong", "one column"])
def test_the_control_simulates_cases_where_they_do_not(case):
    rng = np.random.default_rng(22)
    features, error = simulate(
        rng, n=200 if case == "few" else 2_000, rate=0.4 if case == "wrong" else 0.1
    )
    chosen = features[:1] if case == "one column" else features
    (control,) = slice_controls(chosen, error, rng=rng)
    assert control.found
    assert control.fault.endswith("(in 2000 simulated cases)")


def test_the_control_fails_where_the_search_is_blind(monkeypatch):
    rng = np.random.default_rng(23)
    features, error = simulate(rng)

    def blind(features, _, **options):
        return find_slices(features, simulate(np.random.default_rng(1))[1], **options)

    monkeypatch.setattr(faults, "find_slices", blind)
    (control,) = slice_controls(features, error, rng=rng)
    assert not control.found
    assert control.detail == "0 slices at p <= 0.005"
