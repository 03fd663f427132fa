"""Ports decide the order; two writers of one kind, or none, are refused."""

from __future__ import annotations

import pytest

from titian.errors import InputError
from titian.pipeline.plan import plan
from titian.stage import Stage, StageResult
from titian.values import Data, Project

PROJECT = Project(name="p", intended_use="", data=Data(table="t.csv", label="y"))


def stage(name: str, reads: tuple[str, ...], writes: tuple[str, ...], wanted: bool = True):
    return Stage(
        name=name,
        summary="",
        reads=reads,
        writes=writes,
        configure=lambda project: () if wanted else None,
        run=lambda settings, inputs, context: StageResult(artifacts={}),
    )


def names(stages):
    return [step.stage.name for step in plan(stages, PROJECT)]


def test_a_stage_comes_after_all_that_write_what_it_reads():
    late = stage("late", ("a", "b"), ("c",))
    assert names([late, stage("b", ("a",), ("b",)), stage("a", ("source",), ("a",))]) == [
        "a",
        "b",
        "late",
    ]


def test_a_reader_of_statements_comes_last():
    judge = stage("judge", ("statements",), ("verdicts",))
    assert names([judge, stage("a", ("source",), ("a",))]) == ["a", "judge"]


def test_an_unwanted_stage_is_left_out():
    assert names([stage("a", (), ("a",)), stage("b", (), ("b",), wanted=False)]) == ["a"]


def test_two_writers_of_one_kind_are_refused():
    with pytest.raises(InputError) as caught:
        plan([stage("x", (), ("model",)), stage("y", (), ("model",))], PROJECT)
    assert str(caught.value) == (
        "T-X022: the stages x and y both write model; one stage makes each kind. "
        "Keep one of the two blocks in titian.yaml."
    )


def test_a_kind_that_nothing_writes_is_refused():
    with pytest.raises(InputError) as caught:
        plan([stage("x", ("labels",), ("y",))], PROJECT)
    assert str(caught.value) == (
        "T-X023: the stage x reads labels, which no stage of this project writes. "
        "Add the block of a stage that writes labels, or take this one out."
    )
