"""The disparity stage finds what was planted among the cases, and asks for what it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from titian.errors import InputError
from titian.validation.cases import Cases, write_cases
from titian.validation.disparity.stage import (
    DISPARITY,
    DisparityBlock,
    DisparitySettings,
    configure,
)
from titian.validation.faults import simulate
from titian.values import ALL_GROUPS, Attribute, Data, Project

SETTINGS = DisparitySettings(block=DisparityBlock(), alpha=0.05, positive="1", label="y")


@dataclass(frozen=True)
class FakeContext:
    folder: Path
    seed: int = 7

    def progress(self, step, done, total):
        assert step
        assert 0 <= done <= total


def cases(n=1200) -> Cases:
    """Women at the southern site are always decided wrongly."""
    honest = simulate(np.random.default_rng(11), n=n)
    site = np.where(np.arange(n) % 3 == 0, "south", "north")
    sex = np.where(np.arange(n) % 2, "F", "M")
    missed = (site == "south") & (sex == "F")
    return replace(
        honest,
        prediction=np.where(missed, 1 - honest.label, honest.prediction),
        groups={"site": site, "sex": sex},
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disparity")
    write_cases(cases(), folder / "cases.parquet")
    return DISPARITY.run(SETTINGS, {"cases": folder / "cases.parquet"}, FakeContext(folder))


def test_a_gap_is_about_all_groups_of_its_column(ran):
    (gap,) = [
        item
        for item in ran.measurements
        if item.name == "equal_opportunity" and item.subgroup == {"site": ALL_GROUPS}
    ]
    assert gap.value > 0.3
    # Two columns can stand in one requirement, so Holm's correction needs two levels.
    assert [interval.alpha for interval in gap.intervals][:2] == [0.05, 0.025]


def test_the_slice_that_nobody_named_is_found(ran):
    told = [item.what for item in ran.findings if item.code == "validation.slice"]
    assert any("site=south" in what and "sex=F" in what for what in told)


def test_every_control_is_caught(ran):
    assert {control.check for control in ran.controls} == {
        "disparity.gap",
        "validation.slice",
        "validation.shortcut",
    }
    assert all(control.found for control in ran.controls)


def test_the_same_cases_give_the_same_result(ran, tmp_path):
    again = DISPARITY.run(SETTINGS, {"cases": ran.artifacts["compared"]}, FakeContext(tmp_path))
    for name in ("measurements", "findings", "figures", "controls"):
        assert getattr(again, name) == getattr(ran, name)


def project(**changes) -> Project:
    data = Data(table="t.csv", label="y", positive="1", attributes=(Attribute(column="sex"),))
    return Project(
        name="a",
        intended_use="",
        data=replace(data, **changes.pop("data", {})),
        blocks={"disparity": DisparityBlock(**changes)},
    )


def test_without_its_block_the_stage_is_not_wanted():
    assert configure(replace(project(), blocks={})) is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            project(data={"positive": None}),
            "T-V120: the block disparity compares groups by how one class is recognised, and "
            "the project has no data.positive. Name data.positive if the label has "
            "two classes, or take the block out.",
        ),
        (
            project(slices=("sx",)),
            "T-V121: disparity.slices names 'sx', which is none of data.attributes (sex). List "
            "the column under data.attributes.",
        ),
    ],
)
def test_a_project_that_cannot_be_compared_is_refused(wanted, message):
    with pytest.raises(InputError) as caught:
        configure(wanted)
    assert [str(problem) for problem in caught.value.problems] == [message]
