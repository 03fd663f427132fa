"""Every measure in every cell of a partition, with its interval or why it is not shown.

Rates come from the counts; the other measures from each cell's cases, by rising score. A cell
with fewer subjects than `least` in a measure's denominator is not shown: the measurement says
how many cases are lacking, and the cell still widens the gaps that it is part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from titian import statistics
from titian.statistics import ranges
from titian.statistics.clusters import clustering, degrees_of_freedom, variance
from titian.statistics.discrimination import (
    DELONG,
    DELONG_BY_SUBJECT,
    auc_size,
    steadied_sizes,
)
from titian.statistics.estimate import Estimate, Floats, Ints
from titian.statistics.proportions import WILSON, WILSON_BY_SUBJECT
from titian.validation.disparity.cells import Partition
from titian.validation.disparity.counts import RATES, Counts, Shares, shares
from titian.validation.disparity.outcomes import Outcomes

LEAST = 10
"""Subjects in a denominator below which a cell is not shown."""

PRIOR_EVENTS = 6
"""Weight, in expected events, of the scores' own variance beside the residuals'."""

STUDENT = "Student's t, steadied by the scores' variance"
STUDENT_BY_SUBJECT = "Student's t by subject, steadied by the scores' variance"

OF_DECISIONS = (
    "selection_rate",
    "sensitivity",
    "specificity",
    "false_positive_rate",
    "false_negative_rate",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
)
OF_SCORES = (
    "auc",
    "average_precision",
    "brier",
    "calibration_in_the_large",
    "expected_calibration_error",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measure in each of k cells.

    Attributes:
        name: measure id.
        value: shape (k,); NaN where it has none.
        low: shape (k,), lower end; NaN where unknown.
        high: shape (k,), upper end.
        n: shape (k,), the denominator in cases.
        lacking: shape (k,), cases (or subjects) that are lacking; 0 where it is shown.
        noun: what the denominator counts.
        method: how the intervals were made.
        reason: of each cell, why it is not shown; empty where it is.
        groups: for gaps; None where no gap is made of this measure.
    """

    name: str
    value: Floats
    low: Floats
    high: Floats
    n: Ints
    lacking: Ints
    noun: str
    method: str
    reason: tuple[str, ...]
    groups: ranges.Groups | None = None


def measure_rates(counts: Counts, *, alpha: float, least: int) -> Iterator[Measured]:
    """Yield the measures that are functions of counts."""
    found = {name: shares(counts, rate) for name, rate in RATES.items()}
    method = WILSON if counts.rows is None else WILSON_BY_SUBJECT
    single = counts.rows is None
    for name in OF_DECISIONS:
        if name == "balanced_accuracy":
            yield _balanced(counts, found, alpha=alpha, least=least, method=method)
            continue
        share = found[name]
        low, high = _limits(_groups(share, least), alpha)
        value = share.value
        cases = share.n
        how = method
        if name == "f1":
            value, low, high = (2 * part / (1 + part) for part in (value, low, high))
            cases = counts.cases.sum(axis=1)
            how = f"{method}, through TP/(TP+FP+FN)"
        lacking = np.maximum(least - share.subjects, 0)
        yield _blanked(
            Measured(
                name=name,
                value=value,
                low=low,
                high=high,
                n=cases,
                lacking=lacking,
                noun=RATES[name].noun,
                method=how,
                reason=_reasons(share.n, share.subjects, least, RATES[name].noun, single),
                groups=_groups(share, least),
            )
        )


def measure_prevalence(counts: Counts, *, alpha: float, least: int) -> Measured:
    """Return the share of positives among the cases, which needs no decision."""
    share = shares(counts, RATES["prevalence"])
    low, high = _limits(_groups(share, least), alpha)
    single = counts.rows is None
    return _blanked(
        Measured(
            name="prevalence",
            value=share.value,
            low=low,
            high=high,
            n=share.n,
            lacking=np.maximum(least - share.subjects, 0),
            noun="cases",
            method=WILSON if single else WILSON_BY_SUBJECT,
            reason=_reasons(share.n, share.subjects, least, "cases", single),
        )
    )


def measure_scores(
    outcomes: Outcomes,
    part: Partition,
    ranked: NDArray[np.int64],
    *,
    alpha: float,
    least: int,
    seed: int | None,
) -> Iterator[Measured]:
    """Yield the measures of scores.

    Args:
        outcomes: the cases, with scores.
        part: the cells.
        ranked: shape (n,), the cases by rising score: sorted once for all partitions.
        alpha: one minus the coverage.
        least: see `LEAST`.
        seed: of the calibration error's simulated draws, which cost more than all the rest;
            None leaves that error out.
    """
    k = len(part)
    code = part.code[ranked].astype(np.int16 if k < 2**15 else np.int64)
    order = ranked[np.argsort(code, kind="stable")]
    ends = np.cumsum(np.bincount(part.code, minlength=k))
    cells = [_Cell.of(outcomes, order[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    yield _areas(cells, alpha, least)
    yield _estimates(
        cells,
        "average_precision",
        "positives",
        least,
        lambda c, _: statistics.average_precision(
            c.score, c.positive, c.subject, alphas=(alpha,)
        ),
    )
    yield _estimates(
        cells,
        "brier",
        "cases",
        least,
        lambda c, _: statistics.brier(
            c.score, c.positive.astype(np.int64), c.subject, alphas=(alpha,)
        ),
    )
    yield _in_the_large(cells, alpha, least)
    if seed is None:
        return
    entropy = seed
    yield _estimates(
        cells,
        "expected_calibration_error",
        "cases",
        least,
        lambda c, place: (
            statistics.expected_calibration_error(
                c.score,
                c.positive,
                c.subject,
                alphas=(alpha,),
                rng=np.random.default_rng([entropy, place]),
            ).estimate
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    score: Floats
    positive: NDArray[np.bool_]
    subject: Ints | None

    @classmethod
    def of(cls, outcomes: Outcomes, rows: NDArray[np.int64]) -> _Cell:
        score = outcomes.score
        if score is None:
            raise ValueError("the cases have no scores")
        return cls(
            score=score[rows],
            positive=outcomes.label[rows],
            subject=None if outcomes.subject is None else outcomes.subject[rows],
        )

    def subjects(self, noun: str) -> tuple[int, int]:
        """Return (cases, subjects) of a denominator."""
        chosen = {"positives": self.positive, "negatives": ~self.positive}.get(noun)
        if chosen is None:
            chosen = np.ones(len(self.score), dtype=np.bool_)
        cases = int(chosen.sum())
        if self.subject is None:
            return cases, cases
        return cases, len(np.unique(self.subject[chosen]))


def _areas(cells: list[_Cell], alpha: float, least: int) -> Measured:
    k = len(cells)
    value, size, df = np.full(k, np.nan), np.zeros(k), np.full(k, np.inf)
    for place, cell in enumerate(cells):
        if cell.positive.any() and not cell.positive.all():
            found = auc_size(
                cell.score, cell.positive, clustering(cell.subject, len(cell.score))
            )
            value[place], size[place], df[place] = found.value, found.size, found.df
    counted = [_scarcer(cell) for cell in cells]
    subjects = np.array([item[1] for item in counted], dtype=np.int64)
    single = cells[0].subject is None
    shown = subjects >= max(least, 1)
    low, high = _limits(ranges.proportions(value, size, df, shown), alpha)
    of_class = np.array(
        [[cell.subjects(noun)[1] for cell in cells] for noun in ("positives", "negatives")],
        dtype=np.float64,
    )
    size = steadied_sizes(value, size, of_class[0], of_class[1], shown)
    return _blanked(
        Measured(
            name="auc",
            value=value,
            low=low,
            high=high,
            n=np.array([len(cell.score) for cell in cells], dtype=np.int64),
            lacking=np.maximum(least - subjects, 0),
            noun="cases",
            method=DELONG if single else DELONG_BY_SUBJECT,
            reason=tuple(
                _reason(cases, own, least, noun, single) for cases, own, noun in counted
            ),
            groups=ranges.proportions(value, size, df, shown),
        )
    )


def _scarcer(cell: _Cell) -> tuple[int, int, str]:
    """Return (cases, subjects, noun) of the class that has fewer subjects."""
    found = [(*cell.subjects(noun), noun) for noun in ("positives", "negatives")]
    return min(found, key=lambda item: item[1])


def _in_the_large(cells: list[_Cell], alpha: float, least: int) -> Measured:
    k = len(cells)
    value, error, df = np.full(k, np.nan), np.full(k, np.inf), np.full(k, np.inf)
    counted = [cell.subjects("cases") for cell in cells]
    for place, cell in enumerate(cells):
        residual = cell.positive - cell.score
        value[place] = residual.mean()
        error[place], df[place] = _residual_error(cell, residual)
    subjects = np.array([item[1] for item in counted], dtype=np.int64)
    single = cells[0].subject is None
    groups = ranges.means(value, error, df, subjects >= least, reach=1.0)
    low, high = _limits(groups, alpha)
    return _blanked(
        Measured(
            name="calibration_in_the_large",
            value=value,
            low=np.maximum(low, -1.0),
            high=np.minimum(high, 1.0),
            n=np.array([len(cell.score) for cell in cells], dtype=np.int64),
            lacking=np.maximum(least - subjects, 0),
            noun="cases",
            method=STUDENT if single else STUDENT_BY_SUBJECT,
            reason=tuple(_reason(*item, least, "cases", single) for item in counted),
            groups=groups,
        )
    )


def _residual_error(cell: _Cell, residual: Floats) -> tuple[float, float]:
    """Return (standard error, degrees of freedom) of the mean residual.

    The variance that calibrated scores have steadies the observed one while events are few.
    """
    n = len(residual)
    groups = clustering(cell.subject, n)
    centred = residual - residual.mean()
    modelled = float((cell.score * (1 - cell.score)).mean()) / n
    if groups.subjects < 2:
        return 1.0, 1.0
    plain = variance(centred / n)
    found = variance(groups.sums(centred) / n)
    effect = max(found / plain, 1.0) if plain > 0.0 else 1.0
    weight = PRIOR_EVENTS / (PRIOR_EVENTS + modelled * n * n)
    spread = max((1 - weight) * max(found, plain) + weight * effect * modelled, 1e-12)
    return spread**0.5, degrees_of_freedom(groups.sums(np.ones(n)), effect)


def _estimates(
    cells: list[_Cell],
    name: str,
    noun: str,
    least: int,
    compute: Callable[[_Cell, int], Estimate],
) -> Measured:
    k = len(cells)
    value, low, high = (np.full(k, np.nan) for _ in range(3))
    lacking, reasons, method = np.zeros(k, dtype=np.int64), [], ""
    single = cells[0].subject is None
    for place, cell in enumerate(cells):
        cases, subjects = cell.subjects(noun)
        reason = _reason(cases, subjects, least, noun, single)
        lacking[place] = max(least - subjects, 0)
        if not reason:
            found = compute(cell, place)
            reason, method = found.reason, found.method or method
            if found.value is not None and found.intervals:
                value[place] = found.value
                low[place], high[place] = found.intervals[0].low, found.intervals[0].high
        reasons.append(reason)
    return Measured(
        name=name,
        value=value,
        low=low,
        high=high,
        n=np.array([len(cell.score) for cell in cells], dtype=np.int64),
        lacking=lacking,
        noun=noun,
        method=method,
        reason=tuple(reasons),
    )


def _balanced(
    counts: Counts, found: dict[str, Shares], *, alpha: float, least: int, method: str
) -> Measured:
    """Combine the two recalls by MOVER, as `titian.statistics.balanced_accuracy` does."""
    recalls = (found["sensitivity"], found["specificity"])
    ends = [_limits(_groups(share, least), alpha) for share in recalls]
    value = (recalls[0].value + recalls[1].value) / 2
    correlation = _correlation(counts, found)

    def reach(first: Floats, second: Floats) -> Floats:
        square = first**2 + second**2 + 2 * correlation * first * second
        return np.asarray(np.sqrt(np.maximum(square, 0.0)) / 2)

    down = reach(*(s.value - low for s, (low, _) in zip(recalls, ends, strict=True)))
    up = reach(*(high - s.value for s, (_, high) in zip(recalls, ends, strict=True)))
    scarce = recalls[0].subjects <= recalls[1].subjects
    subjects = np.where(scarce, recalls[0].subjects, recalls[1].subjects)
    n = np.where(scarce, recalls[0].n, recalls[1].n)
    nouns = np.where(scarce, "positives", "negatives")
    single = counts.rows is None
    return _blanked(
        Measured(
            name="balanced_accuracy",
            value=value,
            low=np.clip(value - down, 0.0, value),
            high=np.clip(value + up, value, 1.0),
            n=counts.cases.sum(axis=1),
            lacking=np.maximum(least - subjects, 0),
            noun="cases",
            method=f"{method}, combined by MOVER",
            reason=tuple(
                _reason(int(a), int(b), least, str(noun), single)
                for a, b, noun in zip(n, subjects, nouns, strict=True)
            ),
        )
    )


def _correlation(counts: Counts, found: dict[str, Shares]) -> Floats:
    """Return the recalls' correlation over subjects in each cell, shape (k,)."""
    k = len(counts.cases)
    if counts.rows is None:
        return np.zeros(k)
    cell, rows = counts.rows.cell, counts.rows.weight
    sensitivity = np.nan_to_num(found["sensitivity"].value)[cell]
    specificity = np.nan_to_num(found["specificity"].value)[cell]
    first = rows[:, 3] - sensitivity * (rows[:, 2] + rows[:, 3])
    second = rows[:, 0] - specificity * (rows[:, 0] + rows[:, 1])
    cross, one, two = (
        np.bincount(cell, weights=values, minlength=k)
        for values in (first * second, first**2, second**2)
    )
    scale = np.sqrt(one * two)
    return np.asarray(np.where(scale > 0, cross / np.where(scale > 0, scale, 1.0), 0.0))


def _groups(share: Shares, least: int) -> ranges.Groups:
    return ranges.proportions(
        share.value, share.size, share.df, share.subjects >= max(least, 1)
    )


def _limits(groups: ranges.Groups, alpha: float) -> tuple[Floats, Floats]:
    return groups.limits(np.full((1,), float(-ndtri(alpha / 2))))


def _reasons(n: Ints, subjects: Ints, least: int, noun: str, single: bool) -> tuple[str, ...]:
    return tuple(
        _reason(int(cases), int(own), least, noun, single)
        for cases, own in zip(n, subjects, strict=True)
    )


def _reason(cases: int, subjects: int, least: int, noun: str, single: bool) -> str:
    if subjects >= max(least, 1):
        return ""
    if cases == 0:
        return f"no {noun}; at least {least} are needed"
    if single:
        return f"{cases} {noun}; at least {least} are needed"
    return f"{subjects} subjects with {noun}; at least {least} are needed"


def _blanked(measured: Measured) -> Measured:
    """Take away the numbers that are not shown."""
    hidden = np.array([bool(text) for text in measured.reason], dtype=np.bool_)
    return replace(
        measured,
        value=np.where(hidden, np.nan, measured.value),
        low=np.where(hidden, np.nan, measured.low),
        high=np.where(hidden, np.nan, measured.high),
    )
