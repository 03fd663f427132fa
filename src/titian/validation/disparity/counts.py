"""Counts first: one confusion table for each cell, and every rate from it.

A case's outcome is ``2 * label + prediction``: 0 true negative, 1 false positive, 2 false
negative, 3 true positive. Rates are shares of outcomes among outcomes, so the table of a
partition is all that is needed; where subjects have several cases or cases have weights, the
tables of each (subject, cell) are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titian.statistics.estimate import Bools, Floats, Ints
from titian.statistics.proportions import SubjectSums, effective_sizes
from titian.validation.disparity.cells import Partition

OUTCOMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of outcomes.

    Attributes:
        success: the outcomes counted.
        among: the outcomes they are a share of.
        noun: what the denominator counts.
    """

    success: tuple[int, ...]
    among: tuple[int, ...]
    noun: str


RATES: Mapping[str, Rate] = {
    "selection_rate": Rate(success=(1, 3), among=(0, 1, 2, 3), noun="cases"),
    "prevalence": Rate(success=(2, 3), among=(0, 1, 2, 3), noun="cases"),
    "sensitivity": Rate(success=(3,), among=(2, 3), noun="positives"),
    "specificity": Rate(success=(0,), among=(0, 1), noun="negatives"),
    "false_positive_rate": Rate(success=(1,), among=(0, 1), noun="negatives"),
    "false_negative_rate": Rate(success=(2,), among=(2, 3), noun="positives"),
    "ppv": Rate(success=(3,), among=(1, 3), noun="predicted positives"),
    "npv": Rate(success=(0,), among=(0, 2), noun="predicted negatives"),
    "accuracy": Rate(success=(0, 3), among=(0, 1, 2, 3), noun="cases"),
    "f1": Rate(success=(3,), among=(1, 2, 3), noun="positives or predicted positives"),
}
"""The rates; `f1` is the share J from which F1 = 2J / (1 + J) follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The confusion tables of a partition's k cells.

    Attributes:
        cases: shape (k, 4), cases by outcome.
        weight: shape (k, 4), their weights; the same numbers where all count alike.
        rows: the tables of each (subject, cell), or of each case where cases have weights;
            None where every case is its own subject and counts alike.
    """

    cases: Ints
    weight: Floats
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What one subject has in one cell; r rows, by cell.

    Attributes:
        cell: shape (r,).
        weight: shape (r, 4), weights of its cases by outcome.
    """

    cell: Ints
    weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """One rate in each of k cells.

    Attributes:
        value: shape (k,); NaN without a denominator.
        n: shape (k,), the denominator in cases.
        subjects: shape (k,), subjects among them.
        size: shape (k,), effective n; 0 without a denominator.
        df: shape (k,), degrees of freedom; infinite where every subject has one case.
    """

    value: Floats
    n: Ints
    subjects: Ints
    size: Floats
    df: Floats


def outcome_codes(label: Bools, prediction: Bools) -> NDArray[np.int8]:
    """Return each case's outcome, shape (n,)."""
    return (label.view(np.int8) << 1) + prediction.view(np.int8)


def tally(
    outcome: NDArray[np.int8],
    part: Partition,
    *,
    subject: Ints | None = None,
    weight: Floats | None = None,
) -> Counts:
    """Count the outcomes in each cell, in one pass.

    Args:
        outcome: shape (n,), see `outcome_codes`.
        part: the cells.
        subject: shape (n,), or None when every case is its own subject.
        weight: shape (n,), or None when all count alike.
    """
    k = len(part)
    place = part.code * OUTCOMES + outcome
    cases = np.bincount(place, minlength=k * OUTCOMES).reshape(k, OUTCOMES).astype(np.int64)
    if weight is None and subject is None:
        return Counts(cases=cases, weight=cases.astype(np.float64))
    sums = np.bincount(place, weights=weight, minlength=k * OUTCOMES)
    return Counts(
        cases=cases,
        weight=sums.reshape(k, OUTCOMES).astype(np.float64),
        rows=_rows(outcome, part, subject, weight),
    )


def _rows(
    outcome: NDArray[np.int8], part: Partition, subject: Ints | None, weight: Floats | None
) -> Rows:
    if subject is None:
        cell, row = part.code, np.arange(len(outcome))
    else:
        subjects = int(subject.max()) + 1
        key, row = np.unique(part.code * subjects + subject, return_inverse=True)
        cell = key // subjects
    found = np.bincount(
        row * OUTCOMES + outcome, weights=weight, minlength=len(cell) * OUTCOMES
    )
    return Rows(cell=cell, weight=found.reshape(-1, OUTCOMES).astype(np.float64))


def shares(counts: Counts, rate: Rate) -> Shares:
    """Return one rate in each cell, with the n that its interval may count on.

    As `titian.statistics.proportion` finds it for one cell: the variance by subject gives an
    effective n, never above the cases; without any success or failure each subject counts
    once. Subjects' variances need two subjects.
    """
    among, success = list(rate.among), list(rate.success)
    n = counts.cases[:, among].sum(axis=1)
    whole = counts.weight[:, among].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = counts.weight[:, success].sum(axis=1) / whole
    if counts.rows is None:
        return Shares(
            value=value,
            n=n,
            subjects=n,
            size=n.astype(np.float64),
            df=np.full(len(n), np.inf),
        )
    return _clustered(counts.rows, rate, value, n, whole)


def _clustered(rows: Rows, rate: Rate, value: Floats, n: Ints, whole: Floats) -> Shares:
    k = len(n)
    among = rows.weight[:, list(rate.among)].sum(axis=1)
    hit = rows.weight[:, list(rate.success)].sum(axis=1)
    there = among > 0
    cell, among, hit = rows.cell[there], among[there], hit[there]

    def per_cell(values: Floats) -> Floats:
        return np.bincount(cell, weights=values, minlength=k).astype(np.float64)

    subjects = np.bincount(cell, minlength=k).astype(np.int64)
    # Weights are scaled to sum to the cases, so that sizes are sizes of subjects.
    scale = np.where(whole > 0, n / np.where(whole > 0, whole, 1.0), 0.0)[cell]
    size = among * scale
    error = hit * scale - np.nan_to_num(value)[cell] * size
    found = effective_sizes(
        value,
        SubjectSums(
            n=n.astype(np.float64),
            subjects=subjects.astype(np.float64),
            error=per_cell(error**2),
            squares=per_cell(size**2),
            cubes=per_cell(size**3),
            fourths=per_cell(size**4),
        ),
    )
    return Shares(value=value, n=n, subjects=subjects, size=found[0], df=found[1])
