"""Requirements held against intervals: met, not met or not shown, with Holm's step-down.

"Met" needs the whole interval at the project's alpha on the right side. A release needs
every requirement, so "all met" is an intersection-union test (Berger, Technometrics 24,
1982, 295-300) and needs no correction for their number. "Not met" accuses a row, so within
a family its interval is taken at the level of Holm's step-down (Scand. J. Stat. 6, 1979,
65-70). `Measurement.intervals` carries that ladder, so a judge needs no data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from titian.values import Interval, VerdictValue


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRow:
    """One measurement of a family.

    Attributes:
        value: the estimate, or None when unknown.
        n: its denominator.
        intervals: at alpha, alpha/2, ... alpha/m or beyond; empty when unknown.
    """

    value: float | None
    n: int
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a row came to.

    Attributes:
        verdict: met, not met or not shown.
        adjusted_alpha: the level at which "not met" was decided; None without an interval.
        adjusted_low: lower end at that level.
        adjusted_high: upper end at that level.
        more_cases: about how many more of the denominator's cases would make the interval
            satisfy the bound, if the estimate stayed; None when settled, unknown, or the
            estimate lies within a standard error of the bound or beyond it.
    """

    verdict: VerdictValue
    adjusted_alpha: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None
    more_cases: int | None = None


def judge_family(
    rows: Sequence[FamilyRow],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    alpha: float,
) -> list[Judgement]:
    """Judge every row of one family against one bound.

    A row without an interval is *not shown* and does not count in the family's size m.
    A single requirement is a family of one.

    Raises:
        ValueError: not exactly one bound, or a row's ladder does not reach alpha / m.
    """
    if (at_least is None) == (at_most is None):
        raise ValueError("give exactly one of at_least and at_most")
    tested = [
        index for index, row in enumerate(rows) if row.value is not None and row.intervals
    ]
    level, accused = _step_down(rows, tested, at_least, at_most, alpha)
    judged = []
    for index, row in enumerate(rows):
        if index not in level:
            judged.append(Judgement(verdict=VerdictValue.NOT_SHOWN))
            continue
        shown = interval_at(row.intervals, alpha)
        adjusted = interval_at(row.intervals, level[index])
        met = _satisfies(shown, at_least, at_most)
        judged.append(
            Judgement(
                verdict=(
                    VerdictValue.MET
                    if met
                    else VerdictValue.NOT_MET
                    if index in accused
                    else VerdictValue.NOT_SHOWN
                ),
                adjusted_alpha=level[index],
                adjusted_low=adjusted.low,
                adjusted_high=adjusted.high,
                more_cases=(
                    None
                    if met or index in accused
                    else _more_cases(row, at_least, at_most, alpha)
                ),
            )
        )
    return judged


def interval_at(intervals: Sequence[Interval], alpha: float) -> Interval:
    """Return the interval at `alpha`.

    Raises:
        ValueError: there is none at this level.
    """
    for interval in intervals:
        if math.isclose(interval.alpha, alpha, rel_tol=1e-9):
            return interval
    known = ", ".join(f"{interval.alpha:g}" for interval in intervals)
    raise ValueError(f"no interval at alpha {alpha:g}; there are {known}")


def _step_down(
    rows: Sequence[FamilyRow],
    tested: Sequence[int],
    at_least: float | None,
    at_most: float | None,
    alpha: float,
) -> tuple[dict[int, float], set[int]]:
    """Return each tested row's level and the rows accused.

    Rows rejected at alpha/m leave; the rest face alpha/(m - rejected), until none leaves.
    """
    level: dict[int, float] = {}
    accused: set[int] = set()
    open_rows = list(tested)
    while open_rows:
        current = alpha / len(open_rows)
        rejected = [
            index
            for index in open_rows
            if _violates(interval_at(rows[index].intervals, current), at_least, at_most)
        ]
        level |= dict.fromkeys(rejected or open_rows, current)
        accused |= set(rejected)
        if not rejected:
            break
        open_rows = [index for index in open_rows if index not in accused]
    return level, accused


def _satisfies(interval: Interval, at_least: float | None, at_most: float | None) -> bool:
    if at_least is not None:
        return interval.low >= at_least
    return at_most is not None and interval.high <= at_most


def _violates(interval: Interval, at_least: float | None, at_most: float | None) -> bool:
    if at_least is not None:
        return interval.high < at_least
    return at_most is not None and interval.low > at_most


def _more_cases(
    row: FamilyRow, at_least: float | None, at_most: float | None, alpha: float
) -> int | None:
    """Scale the half-width towards the bound by 1/sqrt(n) until it just fits."""
    if row.value is None:
        return None
    interval = interval_at(row.intervals, alpha)
    if at_least is not None:
        gap, reach = row.value - at_least, row.value - interval.low
    else:
        gap, reach = (at_most or 0.0) - row.value, interval.high - row.value
    standard_error = reach / float(-ndtri(alpha / 2))
    if gap <= standard_error or gap <= 0.0:
        return None
    return max(math.ceil(row.n * (reach / gap) ** 2) - row.n, 1)
