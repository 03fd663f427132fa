"""The report's numbers by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from titian.errors import InputError
from titian.validation.slices import (
    Evidence,
    SliceLine,
    feature_of,
    find_slices,
    least_cases,
)
from titian.validation.slices.report import total_of


def small():
    sex = feature_of("sex", np.array(["f"] * 40 + ["m"] * 60))
    site = feature_of("site", np.array((["a"] * 10 + ["b"] * 10) * 5))
    error = np.zeros(100)
    error[:20] = 1.0
    error[99] = 1.0
    return [sex, site], error


def test_the_numbers_of_a_slice_by_hand():
    features, error = small()
    report = find_slices(features, error, rng=np.random.default_rng(0), support=10)
    worst = report.groups[0].slice
    assert worst.conditions == (("sex", "f"),)
    assert worst.name == "sex=f"
    assert (worst.n, worst.share) == (40, 0.4)
    assert worst.error == 0.5
    assert worst.rest == pytest.approx(1 / 60)
    assert worst.ratio == pytest.approx(30.0)
    assert worst.share_of_error == pytest.approx(20 / 21)
    assert worst.p_value == 0.005
    assert report.error == pytest.approx(0.21)
    assert report.searched == 8
    assert report.least == 10


def test_the_ranking_by_sliceline_is_its_score():
    features, error = small()
    report = find_slices(
        features, error, rng=np.random.default_rng(0), support=10, score=SliceLine(weight=0.95)
    )
    expected = 0.95 * (0.5 / 0.21 - 1) - 0.05 * (100 / 40 - 1)
    assert report.ranked[0].name == "sex=f"
    assert report.ranked[0].score == pytest.approx(expected)
    assert report.score == "sliceline"
    assert report.ranked[0].evidence == pytest.approx(
        float(Evidence().of(np.array([40.0]), np.array([20.0]), total_of(error))[0])
    )


def test_the_same_seed_gives_the_same_report():
    features, error = small()
    error[[50, 60, 70]] = 1.0
    once, again = (
        find_slices(features, error, rng=np.random.default_rng(6), support=5) for _ in range(2)
    )
    assert once == again


def test_a_subject_of_a_size_of_its_own_is_told():
    features, error = small()
    subject = np.repeat(np.arange(34), 3)[:100]
    report = find_slices(
        features, error, rng=np.random.default_rng(0), support=10, subject=subject
    )
    assert report.notes == (
        "1 of 34 subjects have a number of cases that no other subject has: their errors were "
        "dealt out among their own cases only, which makes p-values larger than they need be.",
    )


@pytest.mark.parametrize(
    ("n", "asked", "least"),
    [
        (100_000, None, 1_000),
        (1_000, None, 32),
        (40, None, 10),
        (2, None, 1),
        (1_000, 0.05, 50),
        (999, 0.05, 50),
        (1_000, 1, 1),
        (1_000, 1_000, 1_000),
    ],
)
def test_the_least_support(n, asked, least):
    assert least_cases(n, asked) == least


@pytest.mark.parametrize("asked", [0.0, -5.0, 2.5, 1_001.0, float("nan"), float("inf")])
def test_a_support_that_no_slice_can_have_is_refused(asked):
    with pytest.raises(InputError) as caught:
        least_cases(1_000, asked)
    assert str(caught.value) == (
        f"T-V144: the least support is {asked:g} and the table has 1,000 cases; it is a whole "
        "number from 1 to 1000, or a share between 0 and 1. Give a number of cases such as "
        "100, or a share such as 0.01."
    )


def test_errors_that_are_no_errors_are_refused_together():
    with pytest.raises(InputError) as caught:
        total_of(np.array([0.5, np.nan, -1.0, np.inf, -0.25]))
    assert str(caught.value) == (
        "T-V140: 2 cases have an error that is empty or no finite number (first: row 2 below "
        "the header); every case has one. Leave those cases out, or give their errors.\n"
        "T-V141: 2 cases have a negative error (first: row 3 below the header, -1); an error "
        "is 0 for a perfect case and larger for a worse one. Give a loss, such as the absolute "
        "or squared difference."
    )


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_an_error_that_never_differs_is_refused(value):
    with pytest.raises(InputError) as caught:
        total_of(np.full(1_200, value))
    assert str(caught.value) == (
        f"T-V142: the error is {value:g} in all 1,200 cases; where it never differs no slice "
        "is worse. Check that the right columns were named."
    )


def test_no_slice_with_enough_cases_is_an_empty_report():
    features, error = small()
    report = find_slices(features, error, rng=np.random.default_rng(0), support=100)
    assert report.groups == ()
    assert report.ranked == ()
    assert report.significant == ()
