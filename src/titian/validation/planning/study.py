"""Planning a validation study: how many cases, so that the interval can clear the bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from titian.errors import InputError
from titian.statistics.discrimination import modelled_variance
from titian.statistics.sample_size import (
    OutOfReach,
    Rise,
    drawn_share_power,
    normal_guess,
    settled,
    share_power,
    simulated_rise,
    smallest_drawn,
    smallest_share,
)
from titian.statistics.simulated_power import (
    DRAWS,
    DRAWS_OF_SCORES,
    FIRST_DRAWS,
    Group,
    counted_power,
    scored_power,
)
from titian.validation.planning.design import SHARES, Design, refuse, too_near

CURVE = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Numbers whose power is told, as multiples of the one needed."""

EXACT = "exact binomial power of Wilson's interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The power of a number of cases."""

    cases: int
    power: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many.

    Attributes:
        design: what was asked.
        counted: what the measure's denominator counts.
        denominator: how many of those, in the smallest group where groups are given, in both
            groups together for a gap; None for the AUC, which needs both classes.
        cases: in the whole study, what it holds of each kind left to chance; None where the
            prevalence is not given.
        subjects: likewise; equal to `cases` where a subject has one.
        power: of a study of `cases` (of `denominator` where that is unknown).
        curve: power against cases (or against the denominator's).
        method: how the power was found.
        notes: what a reader should know, one sentence each.
    """

    design: Design
    counted: str
    denominator: int | None
    cases: int | None
    subjects: int | None
    power: float
    curve: tuple[Point, ...]
    method: str
    notes: tuple[str, ...] = field(default=())


Progress = Callable[[int, int], None]


def plan(
    design: Design,
    *,
    rng: np.random.Generator,
    draws_of_scores: int = DRAWS_OF_SCORES,
    progress: Progress = lambda _done, _total: None,
) -> Plan:
    """Find the smallest study that shows what is expected with the power wanted.

    Args:
        design: what is to be shown.
        rng: where simulated studies come from; unused where the power is exact.
        draws_of_scores: studies simulated for each number tried for the AUC, the slow one.
        progress: told numbers tried and numbers to try.

    Raises:
        InputError: T-V220 a number out of its range; T-V221 what is expected does not clear
            the bound, or too narrowly; T-V222 options that do not go together. All together.
    """
    refuse(design)
    try:
        if design.measure == "auc":
            return _plan_scores(design, draws_of_scores, rng, progress)
        if design.gap or design.cases_per_subject > 1:
            return _plan_counts(design, rng, progress)
        return _plan_exact(design)
    except OutOfReach:
        raise InputError(too_near(design)) from None


# --- the three ways -------------------------------------------------------------------


def _plan_exact(design: Design) -> Plan:
    bound, part, shares = design.bound, _part(design), _shares(design)
    smallest = min(shares)

    def denominator_power(n: int) -> float:
        sizes = np.array([max(round(n * share / smallest), 1) for share in shares])
        return float(np.prod(share_power(sizes, design.expect, bound)))

    def power_at(n: int) -> float:
        # Groups are disjoint: their counts hardly depend on each other, their answers not.
        powers = [drawn_share_power(n, (part or 1.0) * s, design.expect, bound) for s in shares]
        return math.prod(powers)

    needed = smallest_share(design.expect, bound, design.power)
    if len(shares) > 1:
        needed = smallest_drawn(denominator_power, design.power, needed)
    cases = None
    if part is not None:
        cases = smallest_drawn(power_at, design.power, math.ceil(needed / part / smallest))
    at = cases or needed
    told = power_at if cases else denominator_power
    return Plan(
        design=design,
        counted=SHARES[design.measure],
        denominator=needed,
        cases=cases,
        subjects=cases,
        power=told(at),
        curve=_curve(at, told),
        method=EXACT,
        notes=_notes(design),
    )


def _plan_counts(design: Design, rng: np.random.Generator, progress: Progress) -> Plan:
    part, m = _part(design), design.cases_per_subject
    guess = _guess(design) * design.design_effect / m

    def searched(whole: float, fixed: bool) -> tuple[int, Callable[[int], float]]:
        groups = _groups(design, whole)

        def power_at(subjects: int, draws: int = DRAWS) -> float:
            return counted_power(
                subjects,
                groups,
                design.bound,
                cases=m,
                icc=design.icc,
                gap=design.gap,
                rng=rng,
                draws=draws,
                fixed=fixed,
            )

        def roughly(subjects: int) -> float:
            return power_at(subjects, FIRST_DRAWS)

        start = math.ceil(guess / min(group.part for group in groups))
        n, _ = simulated_rise(
            roughly, design.power, start, draws=FIRST_DRAWS, progress=progress
        )
        return settled(power_at, design.power, n), power_at

    smallest = min(_shares(design))
    needed, of_denominator = searched(1.0, True)
    subjects, told = (needed, of_denominator) if part is None else searched(part, False)
    known = part is not None
    return Plan(
        design=design,
        counted=SHARES[design.measure],
        denominator=needed * m if design.gap else math.ceil(needed * smallest) * m,
        cases=subjects * m if known else None,
        subjects=subjects if known else None,
        power=told(subjects),
        curve=_curve(subjects, told, m),
        method=_simulated(DRAWS),
        notes=_notes(design),
    )


def _plan_scores(
    design: Design, draws: int, rng: np.random.Generator, progress: Progress
) -> Plan:
    m, prevalence = design.cases_per_subject, design.prevalence or 0.5
    groups = _groups(design, 1.0)

    def power_at(subjects: int) -> float:
        return scored_power(
            subjects,
            groups,
            design.bound,
            prevalence=prevalence,
            cases=m,
            icc=design.icc,
            gap=design.gap,
            rng=rng,
            draws=draws,
        )

    start = math.ceil(_guess(design) * design.design_effect / m / min(_shares(design)))
    subjects, rise = simulated_rise(
        power_at, design.power, start, draws=draws, progress=progress
    )
    return Plan(
        design=design,
        counted="cases",
        denominator=None,
        cases=subjects * m,
        subjects=subjects,
        power=rise.at(subjects),
        curve=_curve(subjects, _told(rise, power_at), m),
        method=_simulated(draws),
        notes=_notes(design),
    )


def _shares(design: Design) -> tuple[float, ...]:
    if design.gap:
        share = design.group_shares[0] if design.group_shares else 0.5
        return (share, 1 - share)
    return design.group_shares or (1.0,)


def _expected(design: Design) -> tuple[float, ...]:
    """Return what is expected of each group; with a gap, of the worse group first."""
    if design.gap:
        around = design.around or 0.0
        return (around - design.expect, around)
    return (design.expect,) * len(_shares(design))


def _groups(design: Design, whole: float) -> list[Group]:
    return [
        Group(part=share * whole, expect=expect)
        for share, expect in zip(_shares(design), _expected(design), strict=True)
    ]


def _part(design: Design) -> float | None:
    """Return the share of cases in the measure's denominator; None where it is unknown."""
    match design.measure:
        case "accuracy":
            return 1.0
        case "sensitivity":
            return design.prevalence
        case "specificity":
            return None if design.prevalence is None else 1 - design.prevalence
        case _:
            return None


def _guess(design: Design) -> float:
    """Return about how many independent cases of the denominator a group needs."""
    if design.measure != "auc" and not design.gap:
        return normal_guess(design.expect, design.bound, design.power)
    quantiles = float(ndtri(design.power) - ndtri(design.alpha / 2))
    variance = 0.0
    for expect in _expected(design):
        if design.measure == "auc":
            m = (design.prevalence or 0.5) * 1e4
            # At 10,000 cases; the variance of one case is that many times larger.
            variance += modelled_variance(expect, m, 1e4 - m) * 1e4
        else:
            variance += expect * (1 - expect)
    if not design.gap:
        variance /= len(_expected(design))
    edge = design.at_least if design.at_least is not None else (design.at_most or 0.0)
    n = max(variance * (quantiles / (design.expect - edge)) ** 2, 10.0)
    if n > 1e7:
        raise OutOfReach
    return n


def _simulated(draws: int) -> str:
    return f"{draws} simulated studies for each number tried"


def _told(rise: Rise, power_at: Callable[[int], float]) -> Callable[[int], float]:
    """Return the power to tell: the fit within what was simulated, more studies elsewhere."""

    def told(n: int) -> float:
        return rise.at(n) if rise.low <= n <= rise.high else power_at(n)

    return told


def _curve(at: int, told: Callable[[int], float], scale: int = 1) -> tuple[Point, ...]:
    numbers = sorted({max(round(at * share), 1) for share in CURVE} | {at})
    return tuple(Point(cases=n * scale, power=told(n)) for n in numbers)


def _notes(design: Design) -> tuple[str, ...]:
    notes = []
    if design.measure in ("ppv", "npv") and design.prevalence is not None:
        notes.append(
            f"The prevalence does not say how many cases are {SHARES[design.measure]}: only "
            "their number is planned."
        )
    if design.cases_per_subject > 1:
        notes.append(
            f"Each subject has {design.cases_per_subject} cases of one label, correlated by "
            f"{design.icc:g} (design effect {design.design_effect:.2f}); subjects with cases "
            "of both labels need fewer."
        )
    if len(design.group_shares) > 1 and not design.gap:
        notes.append("The power is that of all groups clearing the bound, each by itself.")
    if design.gap:
        notes.append("The worse group is the one whose share is given; groups are two.")
    return tuple(notes)
