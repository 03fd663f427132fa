"""The ``disparity`` stage: gaps between groups, slices that nobody named, shortcuts.

It measures the table of cases that ``validate`` made, so that a dossier that ships the cases
can derive all of it again without the data.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from titian.errors import InputError, Problem
from titian.stage import Context, Stage, StageResult
from titian.validation import shortcut, slices
from titian.validation.cases import Cases, read_cases
from titian.validation.disparity.faults import controls as gap_controls
from titian.validation.disparity.findings import findings as gap_findings
from titian.validation.disparity.outcomes import Outcomes
from titian.validation.disparity.pictures import figures as gap_figures
from titian.validation.disparity.report import Disparity, disparity
from titian.validation.tables import Column
from titian.values import ALL_GROUPS, Measurement, Project, Replay

TOLERANCE = 1e-9
"""Sums of floating-point numbers may round differently on another processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisparityBlock:
    """The ``disparity`` block.

    Attributes:
        intersections: combine up to this many attributes.
        slices: attributes among whose values the search for slices looks; all where empty.
        max_level: most conditions of a slice.
        min_support: fewest cases of a slice: a number, or a share below 1; the larger of 32
            and 1 % of the cases where it is left out.
    """

    intersections: int = 1
    slices: tuple[str, ...] = ()
    max_level: int = 3
    min_support: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisparitySettings:
    """What the stage depends on besides the cases.

    Attributes:
        block: what the project asks for.
        alpha: one minus the coverage of the intervals shown.
        positive: the label's positive value.
        label: the label column.
    """

    block: DisparityBlock
    alpha: float
    positive: str
    label: str


def configure(project: Project) -> DisparitySettings | None:
    """Return the settings, or None when the project has no ``disparity`` block.

    Raises:
        InputError: T-V120 more than two classes, or no attribute to compare by; T-V121 a
            column to search that is no attribute.
    """
    block = project.blocks.get("disparity")
    if not isinstance(block, DisparityBlock):
        return None
    columns = [attribute.column for attribute in project.data.attributes]
    problems = []
    if project.data.positive is None or not columns:
        lacking = "data.positive" if columns else "data.attributes"
        when = " if the label has two classes" if columns else ""
        problems.append(
            Problem(
                code="T-V120",
                message=f"the block disparity compares groups by how one class is recognised, "
                f"and the project has no {lacking}.",
                remedy=f"Name {lacking}{when}, or take the block out.",
            )
        )
    problems += [
        Problem(
            code="T-V121",
            message=f"disparity.slices names {column!r}, which is none of data.attributes "
            f"({', '.join(columns) or 'empty'}).",
            remedy="List the column under data.attributes.",
        )
        for column in block.slices
        if column not in columns
    ]
    if problems:
        raise InputError(*problems)
    return DisparitySettings(
        block=block,
        alpha=project.alpha,
        positive=project.data.positive or "",
        label=project.data.label,
    )


def run(
    settings: DisparitySettings, inputs: Mapping[str, Path], context: Context
) -> StageResult:
    """Measure gaps, search for slices, look for shortcuts; plant one of each."""
    target = context.folder / "compared.parquet"
    shutil.copyfile(inputs["cases"], target)
    cases = read_cases(target)
    block, seed = settings.block, context.seed
    steps = 4
    context.progress("gaps", 0, steps)
    outcomes = outcomes_of(cases, settings.positive)
    gaps = disparity(
        outcomes,
        alpha=settings.alpha,
        intersections=block.intersections,
        family=len(outcomes.groups),
        seed=None,  # the calibration error of single groups is the validate stage's
    )
    context.progress("slices", 1, steps)
    features = [
        slices.feature_of(name, values)
        for name, values in cases.groups.items()
        if not block.slices or name in block.slices
    ]
    wrong = (cases.prediction != cases.label).astype(np.float64)
    varied = 0.0 < wrong.mean() < 1.0
    searched = (
        slices.find_slices(
            features,
            wrong,
            rng=np.random.default_rng([seed, 1]),
            level=block.max_level,
            support=block.min_support,
            alpha=settings.alpha,
            subject=cases.subject,
        )
        if varied
        else None
    )
    context.progress("shortcuts", 2, steps)
    read = shortcut.read_attributes(
        cases,
        positive=settings.positive,
        label=settings.label,
        alpha=settings.alpha,
        rng=np.random.default_rng([seed, 2]),
    )
    context.progress("controls", 3, steps)
    caught = (
        *gap_controls(np.random.default_rng([seed, 5])),
        *slices.slice_controls(features, wrong, rng=np.random.default_rng([seed, 3])),
        shortcut.control(
            cases,
            positive=settings.positive,
            label=settings.label,
            rng=np.random.default_rng([seed, 4]),
        ),
    )
    context.progress("controls", steps, steps)
    return StageResult(
        artifacts={"compared": target},
        measurements=(
            *gap_measurements(gaps),
            *(slices.slice_measurements(searched) if searched else ()),
            *shortcut.measurements(read, label=settings.label),
        ),
        findings=(
            *gap_findings(gaps),
            *(slices.slice_findings(searched) if searched else ()),
            *shortcut.findings(read, alpha=settings.alpha),
        ),
        figures=(
            *gap_figures(gaps, forests=()),  # groups have theirs from the validate stage
            *(slices.slice_figures(searched) if searched else ()),
        ),
        controls=caught,
        replay=Replay(
            derivable=True,
            tolerance=TOLERANCE,
            reason="the same draws from the same seed; sums may round differently elsewhere",
        ),
    )


def outcomes_of(cases: Cases, positive: str) -> Outcomes:
    """Return the cases as outcomes of the positive class."""
    place = cases.classes.index(positive)
    groups = []
    for name, values in cases.groups.items():
        names, code = np.unique(values, return_inverse=True)
        groups.append(
            Column(name=name, code=code.astype(np.int32), names=tuple(names.tolist()))
        )
    return Outcomes(
        label=cases.label == place,
        prediction=cases.prediction == place,
        score=cases.scores[:, place],
        groups=tuple(groups),
        subject=cases.subject,
        weight=None,
        notes=(),
    )


def gap_measurements(found: Disparity) -> tuple[Measurement, ...]:
    """Return the gaps as measurements; the subgroup names the columns that part the groups."""
    return tuple(
        Measurement(
            name=gap.name,
            value=gap.value,
            n=gap.n,
            method=gap.method,
            subgroup=dict.fromkeys(gap.by, ALL_GROUPS),
            intervals=gap.intervals,
            reason=gap.reason,
        )
        for gap in found.gaps
    )


DISPARITY: Stage[DisparitySettings] = Stage(
    name="disparity",
    summary="Compare groups, search for slices that nobody named, look for shortcuts.",
    reads=("cases",),
    writes=("compared",),
    configure=configure,
    run=run,
    block="disparity",
    block_type=DisparityBlock,
)
