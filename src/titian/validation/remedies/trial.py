"""What options are worked out and measured on, and trials that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import Bools, Floats, Ints

MEASURES = ("sensitivity", "specificity")
"""Measures whose gap can be mended by thresholds: one kind of case, one share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Scores, labels and one group column, in two parts.

    Attributes:
        label: shape (n,), True for the positive class.
        score: shape (n,), in [0, 1].
        column: the group column's name.
        group: shape (n,), index into `names`.
        names: the groups.
        fit: shape (n,), the cases on which options are worked out.
        held_back: shape (n,), the cases on which they are measured; none of `fit`.
        subject: shape (n,), or None when every case is its own subject.
    """

    label: Bools
    score: Floats
    column: str
    group: Ints
    names: tuple[str, ...]
    fit: Bools
    held_back: Bools
    subject: Ints | None = None


def counted(trial: Trial, measure: str) -> Bools:
    """Return the cases of the measure's denominator."""
    return trial.label if measure == "sensitivity" else ~trial.label


def right_decisions(measure: str, decision: Bools) -> Bools:
    """Return the decisions that the measure counts as right."""
    return decision if measure == "sensitivity" else ~decision


def refuse(trial: Trial, measure: str, threshold: float, alpha: float, within: float) -> None:
    """Refuse a trial that shows nothing.

    Raises:
        InputError: T-V230, T-V231 or T-V232; all problems together.
    """
    problems = []
    for name, part in (("fit", trial.fit), ("held-back", trial.held_back)):
        if not part.any():
            problems.append(
                Problem(
                    code="T-V230",
                    message=f"the {name} part holds 0 cases; an option is worked out on one "
                    "part and measured on the other.",
                    remedy="Name two values of the part column that occur.",
                )
            )
    checks: Sequence[tuple[str, float, float]] = (
        ("threshold", threshold, 1.0),
        ("within", within, 0.5),
    )
    for option, value, most in checks:
        if not 0.0 < value < most:
            problems.append(
                Problem(
                    code="T-V232",
                    message=f"--{option} is {value:g}; it lies above 0 and below {most:g}.",
                    remedy="Write a share, such as 0.05.",
                )
            )
    if not 0.0 < alpha < 0.5:
        problems.append(
            Problem(
                code="T-V232",
                message=f"--confidence is {1 - alpha:g}; it lies above 0.5 and below 1.",
                remedy="Use 0.95 unless you have a reason.",
            )
        )
    if measure not in MEASURES:
        problems.append(
            Problem(
                code="T-V232",
                message=f"--measure {measure} has no remedies here; there are "
                f"{', '.join(MEASURES)}.",
                remedy="Name one of these.",
            )
        )
    elif trial.fit.any():
        chosen = trial.fit & counted(trial, measure)
        there = [trial.names[place] for place in np.unique(trial.group[chosen])]
        if len(there) < 2:
            problems.append(
                Problem(
                    code="T-V231",
                    message=f"{len(there)} groups of {trial.column!r} have cases for {measure} "
                    "in the fit part; a disparity needs two.",
                    remedy="Name another column, or a larger fit part.",
                )
            )
    if problems:
        raise InputError(*problems)
