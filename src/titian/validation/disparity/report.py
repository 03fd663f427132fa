"""Everything about one table of outcomes: measurements, gaps, findings and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import ladder
from titian.validation.disparity.cells import Partition, partition, partitions
from titian.validation.disparity.counts import outcome_codes, tally
from titian.validation.disparity.estimates import (
    LEAST,
    Measured,
    measure_prevalence,
    measure_rates,
    measure_scores,
)
from titian.validation.disparity.gaps import GAPS, Gap, gaps_of, judge
from titian.validation.disparity.outcomes import Outcomes
from titian.values import Interval, Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A measurement of one group, with what it lacks.

    Attributes:
        measurement: value, interval, n and subgroup; its reason says why it is not shown.
        lacking: cases (subjects, where they repeat) that are lacking; 0 where it is shown.
    """

    measurement: Measurement
    lacking: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """What was found.

    Attributes:
        rows: every measure overall, then for each group and intersection.
        gaps: every gap of every partition.
        notes: what a reader should know, one sentence each.
        alpha: one minus the intervals' coverage.
        cases: how many.
    """

    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    alpha: float
    cases: int

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Return the rows' measurements."""
        return tuple(row.measurement for row in self.rows)


def disparity(
    outcomes: Outcomes,
    *,
    alpha: float = 0.05,
    intersections: int = 1,
    least: int = LEAST,
    max_gap: float | None = None,
    min_ratio: float | None = None,
    family: int = 1,
    seed: int | None = 0,
) -> Disparity:
    """Measure every group and intersection, and the gaps between them.

    Args:
        outcomes: the cases.
        alpha: one minus the coverage of each interval.
        intersections: up to how many columns are combined.
        least: subjects in a denominator below which a group is not shown.
        max_gap: bound on every difference, for verdicts.
        min_ratio: bound on every ratio, for verdicts.
        family: gaps that somebody will judge together later, with Holm's correction.
        seed: of the calibration error's simulated draws; None leaves that error out.

    Raises:
        InputError: T-V110, T-V111, T-V112: too many cells, a setting out of range, or a
            bound on gaps without groups.
    """
    _refuse_settings(alpha, intersections, least, max_gap, min_ratio)
    if not outcomes.groups and (max_gap is not None or min_ratio is not None):
        raise InputError(
            Problem(
                code="T-V112",
                message="a bound on gaps is stated, and no column of groups is named; a bound "
                "that nothing is held against would always seem met.",
                remedy="Name the columns with --group, or leave --max-gap and --min-ratio out.",
            )
        )
    n = len(outcomes)
    parts = list(partitions(outcomes.groups, n, intersections))
    decided = outcomes.prediction is not None
    outcome = outcome_codes(
        outcomes.label,
        np.zeros(n, dtype=np.bool_) if outcomes.prediction is None else outcomes.prediction,
    )
    ranked = None if outcomes.score is None else np.argsort(outcomes.score, kind="stable")
    notes = list(outcomes.notes)
    if outcomes.weight is not None and outcomes.score is not None:
        ranked = None
        notes.append(
            "Cases have weights: measures of scores are not made, those of decisions are."
        )
    rows: list[Row] = []
    gaps: list[Gap] = []
    every = max(_judged(outcomes, len(parts)), 1)
    judged = every if max_gap is not None or min_ratio is not None else 1
    steps = ladder(alpha, max(judged, family))
    # Findings are told at the strictest level, whether or not there is a bound.
    steps = steps if len(steps) >= every else (*steps, alpha / every)
    for part in [partition((), n), *parts]:
        counts = tally(outcome, part, subject=outcomes.subject, weight=outcomes.weight)
        measured = [measure_prevalence(counts, alpha=alpha, least=least)]
        if decided:
            measured += measure_rates(counts, alpha=alpha, least=least)
        if ranked is not None:
            measured += measure_scores(
                outcomes, part, ranked, alpha=alpha, least=least, seed=seed
            )
        rows += _rows(part, measured, alpha)
        if part.columns:
            gaps += gaps_of(part, measured, alphas=steps)
    return Disparity(
        rows=tuple(rows),
        gaps=tuple(judge(gaps, max_gap=max_gap, min_ratio=min_ratio, alpha=alpha)),
        notes=tuple(notes),
        alpha=alpha,
        cases=n,
    )


def _judged(outcomes: Outcomes, parts: int) -> int:
    """Return how many gaps a bound is held against: the size of Holm's family."""
    of_scores = {"auc", "calibration_in_the_large"}
    made = [
        gap
        for gap in GAPS.values()
        if (outcomes.prediction is not None or set(gap.measures) <= of_scores)
        and (outcomes.score is not None or not set(gap.measures) & of_scores)
    ]
    return len(made) * parts


def _rows(part: Partition, measured: list[Measured], alpha: float) -> Iterator[Row]:
    for item in measured:
        for cell in range(len(part)):
            yield Row(
                measurement=_measurement(item, cell, part.subgroup(cell), alpha),
                lacking=int(item.lacking[cell]),
            )


def _measurement(
    item: Measured, cell: int, subgroup: Mapping[str, str], alpha: float
) -> Measurement:
    shown = not np.isnan(item.value[cell])
    known = shown and not np.isnan(item.low[cell])
    return Measurement(
        name=item.name,
        value=float(item.value[cell]) if shown else None,
        n=int(item.n[cell]),
        method=item.method if known else "",
        subgroup=subgroup or None,
        intervals=(
            (Interval(alpha=alpha, low=float(item.low[cell]), high=float(item.high[cell])),)
            if known
            else ()
        ),
        reason=item.reason[cell],
    )


def _refuse_settings(
    alpha: float,
    intersections: int,
    least: int,
    max_gap: float | None,
    min_ratio: float | None,
) -> None:
    problems = [
        Problem(code="T-V111", message=f"{what} is {value:g}; it {rule}.", remedy=remedy)
        for what, value, good, rule, remedy in (
            ("the confidence", 1 - alpha, 0.5 < 1 - alpha < 1, "lies above 0.5 and below 1",
             "Give 0.95 for 95 %."),
            ("the number of columns to combine", intersections, intersections >= 1,
             "is at least 1", "Give 1 for single columns, 2 for pairs."),
            ("the least number of cases", least, least >= 1, "is at least 1",
             "Give 10, or more."),
            ("the largest gap allowed", max_gap or 0.0, 0.0 <= (max_gap or 0.0) <= 1.0,
             "lies in [0, 1]", "Give a difference of shares such as 0.1."),
            ("the smallest ratio allowed", min_ratio or 0.0, 0.0 <= (min_ratio or 0.0) <= 1.0,
             "lies in [0, 1]", "Give a ratio such as 0.8."),
        )
        if not good
    ]  # fmt: skip
    if problems:
        raise InputError(*problems)
