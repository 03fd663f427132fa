"""The ``validate`` stage: from predictions to measurements, findings, figures and controls.

The stage first makes the table of cases (random ids) and then measures that table, so that
`measure_cases` derives the same numbers from a shipped table, without the data.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from titian.dataset.predictions import read_predictions
from titian.errors import InputError, Problem
from titian.stage import Context, Stage, StageResult
from titian.validation.cases import Cases, draw_cases, read_cases, write_cases
from titian.validation.checks import findings
from titian.validation.curves import figures
from titian.validation.faults import controls
from titian.validation.measures import measure_all
from titian.values import Project, Replay

FORESTS = ("sensitivity", "specificity")
"""Measures that always get a forest plot; those of requirements follow."""

TOLERANCE = 1e-9
"""Sums of floating-point numbers may round differently on another processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateSettings:
    """What validation depends on besides the predictions.

    Attributes:
        alpha: one minus the coverage of the intervals shown.
        positive: the label's positive value; None for more than two classes.
        label: the label column, which names the class in a subgroup.
        forests: the measures that get a forest plot. Bounds are no part of this: moving one
            must leave the measurements, and the time at which they were taken, as they are.
    """

    alpha: float
    positive: str | None
    label: str
    forests: tuple[str, ...] = ()


def measure_cases(
    settings: ValidateSettings, inputs: Mapping[str, Path], context: Context
) -> StageResult:
    """Derive everything from the kind ``cases`` alone, as a replay without the data does."""
    target = context.folder / "cases.parquet"
    shutil.copyfile(inputs["cases"], target)
    return _measure(settings, read_cases(target), target, context)


def _run(
    settings: ValidateSettings, inputs: Mapping[str, Path], context: Context
) -> StageResult:
    path = inputs["predictions"]
    # Ids hang on the predictions' bytes too: who knows the seed alone cannot undo them.
    entropy = int.from_bytes(hashlib.sha256(path.read_bytes()).digest())
    rng = np.random.default_rng([context.seed, entropy])
    target = context.folder / "cases.parquet"
    write_cases(draw_cases(read_predictions(path), rng), target)
    return _measure(settings, read_cases(target), target, context)


def _measure(
    settings: ValidateSettings, cases: Cases, target: Path, context: Context
) -> StageResult:
    if settings.positive is not None and settings.positive not in cases.classes:
        raise InputError(
            Problem(
                code="T-V005",
                message=f"data.positive is {settings.positive!r}; the model's classes are "
                f"{', '.join(cases.classes)}.",
                remedy="Name one of the classes, as it is written in the label column.",
            )
        )
    steps = 4
    context.progress("measures", 0, steps)
    measurements = measure_all(
        cases,
        positive=settings.positive,
        label=settings.label,
        alpha=settings.alpha,
        seed=context.seed,
    )
    context.progress("findings", 1, steps)
    found = findings(
        cases,
        positive=settings.positive,
        label=settings.label,
        alpha=settings.alpha,
        rng=np.random.default_rng([context.seed, 1]),
    )
    context.progress("controls", 2, steps)
    caught = controls(
        cases,
        positive=settings.positive,
        label=settings.label,
        rng=np.random.default_rng([context.seed, 2]),
    )
    context.progress("figures", 3, steps)
    drawn = figures(
        cases,
        measurements,
        positive=settings.positive,
        label=settings.label,
        alpha=settings.alpha,
        forests=settings.forests,
    )
    context.progress("figures", steps, steps)
    return StageResult(
        artifacts={"cases": target},
        measurements=measurements,
        findings=found,
        figures=drawn,
        controls=caught,
        replay=Replay(
            derivable=True,
            tolerance=TOLERANCE,
            reason="the same draws from the same seed; sums may round differently elsewhere",
        ),
    )


def _configure(project: Project) -> ValidateSettings:
    required = [item.measure for item in project.requirements if item.measure is not None]
    return ValidateSettings(
        alpha=project.alpha,
        positive=project.data.positive,
        label=project.data.label,
        forests=tuple(dict.fromkeys([*FORESTS, *required])),
    )


VALIDATE: Stage[ValidateSettings] = Stage(
    name="validate",
    summary="Measure the model on the test part, overall and for each group.",
    reads=("predictions",),
    writes=("cases",),
    configure=_configure,
    run=_run,
)
