"""Which stages a project wants, and in which order their ports put them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from titian.errors import InputError, Problem
from titian.stage import Stage
from titian.values import Project

GIVEN = ("source", "statements", "vendor")
"""Kinds that the pipeline supplies: the data folder, this run's earlier statements, and
the model file that the project names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A wanted stage with its settings for this project."""

    stage: Stage[Any]
    settings: Any


def plan(stages: Sequence[Stage[Any]], project: Project) -> tuple[Step, ...]:
    """Return the wanted stages, each after all that write what it reads.

    A stage that reads ``statements`` comes after all that do not. Among stages that are
    ready at once the registry's order decides.

    Raises:
        InputError: T-X022, two wanted stages write one kind; T-X023, nothing writes a kind
            that a wanted stage reads.
    """
    wanted = [
        Step(stage=stage, settings=settings)
        for stage in stages
        if (settings := stage.configure(project)) is not None
    ]
    writers: dict[str, str] = {}
    problems = []
    for step in wanted:
        for kind in step.stage.writes:
            if kind in writers:
                problems.append(
                    Problem(
                        code="T-X022",
                        message=f"the stages {writers[kind]} and {step.stage.name} both write "
                        f"{kind}; one stage makes each kind.",
                        remedy="Keep one of the two blocks in titian.yaml.",
                    )
                )
            writers[kind] = step.stage.name
    problems += [
        Problem(
            code="T-X023",
            message=f"the stage {step.stage.name} reads {kind}, which no stage of this "
            "project writes.",
            remedy=f"Add the block of a stage that writes {kind}, or take this one out.",
        )
        for step in wanted
        for kind in step.stage.reads
        if kind not in writers and kind not in GIVEN
    ]
    if problems:
        raise InputError(*problems)
    return tuple(_ordered(wanted))


def _ordered(wanted: list[Step]) -> list[Step]:
    pending = sorted(wanted, key=lambda step: "statements" in step.stage.reads)
    have = set(GIVEN)
    ordered: list[Step] = []
    while pending:
        ready = next((s for s in pending if have.issuperset(s.stage.reads)), None)
        if ready is None:
            names = ", ".join(step.stage.name for step in pending)
            raise AssertionError(f"the registered stages {names} read each other's outputs")
        pending.remove(ready)
        have.update(ready.stage.writes)
        ordered.append(ready)
    return ordered
