"""Better, worse, non-inferior, inferior, or not shown: intervals and tests put into words.

*Better* and *worse* accuse one of the models, so that within a measure's groups they need
Holm's (1979) step-down; both the interval and the test must exclude 0 at the level reached.
*Non-inferior* needs the whole interval on the right side of the margin; that it holds in every
group is an intersection-union claim and needs no correction. *Inferior* accuses and is
corrected. Non-inferiority at two-sided alpha errs in at most alpha/2 of studies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from scipy.special import ndtri

from titian.errors import InputError, Problem
from titian.statistics import interval_at
from titian.statistics.comparison import holm
from titian.statistics.estimate import ladder
from titian.validation.comparison.measuring import Contrast, available, contrast
from titian.validation.comparison.pairing import Pair
from titian.validation.measures import MEASURES
from titian.values import Interval


class Superiority(StrEnum):
    """Is B better than A?"""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not shown"


class NonInferiority(StrEnum):
    """Is B not worse than A by the margin or more?"""

    NON_INFERIOR = "non-inferior"
    INFERIOR = "inferior"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One measure of one group, judged.

    Attributes:
        contrast: both models and their difference.
        verdict: whether B is better.
        non_inferiority: None without a margin.
        adjusted_p: the test's p-value after Holm's correction; None without a test.
        adjusted: the difference's interval at the level that Holm's step-down reached; None
            outside a family of several groups.
        more_cases: about how many more of the measure's cases would settle it (superiority,
            or non-inferiority where a margin was given), if the difference stayed; None when
            settled, unknown, or within a standard error of the bound.
        reason: why it is not shown; empty otherwise.
    """

    contrast: Contrast
    verdict: Superiority
    non_inferiority: NonInferiority | None = None
    adjusted_p: float | None = None
    adjusted: Interval | None = None
    more_cases: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All rows: each measure overall, then for each group.

    Attributes:
        rows: judged.
        alpha: one minus the coverage of the intervals shown.
        margin: of non-inferiority, in the measures' unit; None when it was not asked for.
        family: groups that were judged together for each measure.
        notes: what a reader should know, one sentence each.
    """

    rows: tuple[Compared, ...]
    alpha: float
    margin: float | None
    family: int
    notes: tuple[str, ...] = ()


def compare(
    pair: Pair,
    *,
    measures: Sequence[str] = (),
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Compare B with A on every case and within each group.

    Args:
        pair: the two models on the same cases.
        measures: their names; all that the columns allow when left out.
        margin: how much worse B may be and still pass, above 0; None asks for no verdict on
            non-inferiority.
        alpha: one minus the coverage of the intervals, in (0, 0.5).
        seed: of the simulated draws.
        progress: told rows done and rows in all.

    Raises:
        InputError: T-V210 an unknown measure or one whose column is missing; T-V211 a margin
            or a confidence out of range.
    """
    known = available(pair)
    _refuse(measures, known, margin, alpha)
    parts = [part for part in pair.a.parts() if part[0] in pair.a.groups]
    wide = ladder(alpha, len(parts))
    names = [name for name in known if not measures or name in measures]
    rows: list[Compared] = []
    total, done = len(names) * (1 + len(parts)), 0
    for name in names:
        overall = contrast(name, pair, None, subgroup=None, alphas=(alpha,), seed=seed)
        groups = []
        progress(done := done + 1, total)
        for column, value, mask in parts:
            groups.append(
                contrast(name, pair, mask, subgroup={column: value}, alphas=wide, seed=seed)
            )
            progress(done := done + 1, total)
        rows += judge([overall], margin=margin, alpha=alpha)
        rows += judge(groups, margin=margin, alpha=alpha)
    notes = list(pair.notes)
    if len(parts) > 1:
        notes.append(
            f"Better, worse and inferior are corrected over the {len(parts)} groups of each "
            "measure (Holm); measures are not corrected against each other: choose the one "
            "that decides before you look."
        )
    return Comparison(
        rows=tuple(rows), alpha=alpha, margin=margin, family=len(parts), notes=tuple(notes)
    )


def judge(family: Sequence[Contrast], *, margin: float | None, alpha: float) -> list[Compared]:
    """Judge one measure's rows together.

    Args:
        family: their differences carry intervals at alpha, alpha/2, ... alpha/m.
        margin: of non-inferiority, or None.
        alpha: the family's level.
    """
    told = [row for row in family if row.difference.intervals]
    p_values = [row.test.p_value if row.test else None for row in told]
    tested = [p for p in p_values if p is not None]
    # Holm's correction counts every row of the family, those without a test too.
    adjusted = holm([1.0 if p is None else p for p in p_values])
    differs, level = _step_down(told, alpha, _excludes_zero)
    inferior, _ = _step_down(told, alpha, lambda row, at: _beyond_margin(row, at, margin))
    found = {}
    for row, p in zip(told, adjusted, strict=True):
        key = id(row)
        gain = _gain(row)
        verdict = (
            Superiority.NOT_SHOWN
            if key not in differs
            else Superiority.BETTER
            if gain > 0
            else Superiority.WORSE
        )
        shown = Compared(
            contrast=row,
            verdict=verdict,
            non_inferiority=_against_margin(row, margin, alpha, key in inferior),
            adjusted_p=p if tested and row.test else None,
            adjusted=interval_at(row.difference.intervals, level[key])
            if len(family) > 1
            else None,
        )
        found[key] = replace(
            shown,
            reason=_reason(shown, alpha, margin),
            more_cases=_more_cases(shown, alpha, margin),
        )
    return [
        found.get(id(row))
        or Compared(
            contrast=row,
            verdict=Superiority.NOT_SHOWN,
            non_inferiority=None if margin is None else NonInferiority.NOT_SHOWN,
            reason=row.difference.reason,
        )
        for row in family
    ]


# --- in the direction in which more is better -----------------------------------------


def _gain(row: Contrast) -> float:
    value = row.difference.value or 0.0
    return value if row.better == "higher" else -value


def _span(row: Contrast, alpha: float) -> tuple[float, float]:
    interval = interval_at(row.difference.intervals, alpha)
    if row.better == "higher":
        return interval.low, interval.high
    return -interval.high, -interval.low


def _excludes_zero(row: Contrast, alpha: float) -> bool:
    low, high = _span(row, alpha)
    significant = row.test is None or row.test.p_value <= alpha
    return significant and (low > 0.0 or high < 0.0)


def _beyond_margin(row: Contrast, alpha: float, margin: float | None) -> bool:
    return margin is not None and _span(row, alpha)[1] < -margin


def _step_down(
    rows: Sequence[Contrast], alpha: float, rejects: Callable[[Contrast, float], bool]
) -> tuple[set[int], dict[int, float]]:
    """Return the rows that Holm's step-down rejects, and the level that each one faced."""
    rejected: set[int] = set()
    level: dict[int, float] = {}
    open_rows = list(rows)
    while open_rows:
        current = alpha / len(open_rows)
        leaving = [row for row in open_rows if rejects(row, current)]
        level |= {id(row): current for row in leaving or open_rows}
        rejected |= {id(row) for row in leaving}
        if not leaving:
            break
        open_rows = [row for row in open_rows if id(row) not in rejected]
    return rejected, level


def _against_margin(
    row: Contrast, margin: float | None, alpha: float, inferior: bool
) -> NonInferiority | None:
    if margin is None:
        return None
    if _span(row, alpha)[0] > -margin:
        return NonInferiority.NON_INFERIOR
    return NonInferiority.INFERIOR if inferior else NonInferiority.NOT_SHOWN


def _reason(shown: Compared, alpha: float, margin: float | None) -> str:
    row = shown.contrast
    if shown.verdict is not Superiority.NOT_SHOWN or (
        margin is not None and shown.non_inferiority is not NonInferiority.NOT_SHOWN
    ):
        return ""
    low, high = _span(row, alpha)
    if low > 0.0 or high < 0.0:
        if row.test is not None and row.test.p_value > alpha:
            return (
                f"the interval excludes 0, but the test does not (p = {row.test.p_value:.2g})"
            )
        return "the interval excludes 0, but not after the correction for the groups"
    if row.test is not None and row.test.p_value <= alpha:
        return "the interval holds 0"
    return "the difference may be 0"


def _more_cases(shown: Compared, alpha: float, margin: float | None) -> int | None:
    """Scale the half-width towards the bound by 1/sqrt(n) until it just fits."""
    row = shown.contrast
    low, high = _span(row, alpha)
    gain = _gain(row)
    if margin is not None:
        if shown.non_inferiority is not NonInferiority.NOT_SHOWN:
            return None
        gap, reach = gain + margin, gain - low
    else:
        if shown.verdict is not Superiority.NOT_SHOWN:
            return None
        gap, reach = (gain, gain - low) if gain > 0 else (-gain, high - gain)
    if gap <= reach / float(-ndtri(alpha / 2)):
        return None
    n = row.difference.n
    return max(math.ceil(n * (reach / gap) ** 2) - n, 1)


def _refuse(
    measures: Sequence[str], known: Sequence[str], margin: float | None, alpha: float
) -> None:
    problems = []
    for name in dict.fromkeys(measures):
        if name in known:
            continue
        why = (
            "is no measure"
            if name not in MEASURES
            else "needs a column that was not named, or two classes"
        )
        problems.append(
            Problem(
                code="T-V210",
                message=f"measure {name!r} {why}; here there are {', '.join(known)}.",
                remedy="Name one of these, or give --prediction or --score as it needs.",
            )
        )
    if margin is not None and not 0.0 < margin < 1.0:
        problems.append(
            Problem(
                code="T-V211",
                message=f"margin is {margin:g}; it lies above 0 and below 1, in the "
                "unit of the measure.",
                remedy="Say how much worse B may be, such as 0.05 for five points.",
            )
        )
    if not 0.0 < alpha < 0.5:
        problems.append(
            Problem(
                code="T-V211",
                message=f"confidence is {1 - alpha:g}; it lies above 0.5 and below 1.",
                remedy="Use 0.95 unless you have a reason.",
            )
        )
    if problems:
        raise InputError(*problems)
