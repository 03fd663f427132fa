"""Folding: what an earlier slice explains says nothing of its own."""

from __future__ import annotations

import numpy as np

from titian.validation.slices.faults import plant_slice, simulate
from titian.validation.slices.feature import Feature
from titian.validation.slices.merge import Relation
from titian.validation.slices.report import find_slices


def names(report):
    return [group.slice.name for group in report.significant]


def test_a_planted_slice_stands_alone_and_takes_its_neighbours_in():
    rng = np.random.default_rng(8)
    features, error = simulate(rng, n=6_000)
    error, _ = plant_slice(features, error, ((0, 1), (3, 2)), rng=rng)
    report = find_slices(features, error, rng=rng, support=50)
    assert names(report) == ["column 0=b & column 3=c"]
    relations = {member.slice.name: member.relation for member in report.groups[0].folded}
    assert relations["column 0=b"] is Relation.WIDER
    assert relations["column 3=c"] is Relation.WIDER
    assert Relation.NARROWER in relations.values()
    within = report.groups[0].within
    assert within is not None
    assert within.error > report.groups[0].slice.error


def test_two_planted_slices_are_both_told():
    rng = np.random.default_rng(9)
    features, error = simulate(rng, n=6_000)
    error, _ = plant_slice(features, error, ((0, 1), (3, 2)), rng=rng)
    error, _ = plant_slice(features, error, ((1, 0), (2, 0)), rng=rng)
    report = find_slices(features, error, rng=rng, support=50)
    assert set(names(report)) == {"column 0=b & column 3=c", "column 1=a & column 2=a"}


def test_a_copy_of_a_column_is_folded_as_the_same_cases():
    rng = np.random.default_rng(10)
    features, error = simulate(rng, n=4_000, columns=2)
    error, _ = plant_slice(features, error, ((0, 1),), rng=rng)
    copy = Feature(name="copy", code=features[0].code, values=features[0].values)
    report = find_slices([*features, copy], error, rng=rng)
    assert names(report) == ["column 0=b"]
    same = [
        member.slice.name
        for member in report.groups[0].folded
        if member.relation is Relation.SAME
    ]
    assert same == ["copy=b", "column 0=b & copy=b"]


def test_without_permutations_folding_goes_by_what_is_left():
    rng = np.random.default_rng(8)
    features, error = simulate(rng, n=6_000)
    error, _ = plant_slice(features, error, ((0, 1), (3, 2)), rng=rng)
    report = find_slices(features, error, rng=rng, support=50, deals=0)
    assert report.groups[0].slice.name == "column 0=b & column 3=c"
    assert report.groups[0].slice.p_value is None
    assert report.critical is None
    told = {group.slice.name for group in report.groups}
    assert "column 0=b" not in told
    assert "column 3=c" not in told
