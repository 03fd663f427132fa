"""What an option does on the held-back part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import numpy as np

from titian.statistics import proportion, ranges, wilson
from titian.statistics.clusters import clustering
from titian.statistics.estimate import Bools, Estimate, Floats, unknown
from titian.statistics.influence import of_proportion
from titian.statistics.paired import combined_difference, paired_difference
from titian.statistics.proportions import effective_size
from titian.validation.cases import Cases
from titian.validation.comparison.pairing import Pair
from titian.validation.comparison.verdicts import Comparison, compare
from titian.validation.remedies.trial import Trial, counted, right_decisions
from titian.values import Interval

OVERALL = ("sensitivity", "specificity", "accuracy", "balanced_accuracy")
"""What an option may cost; compared before and after, overall and within each group."""


class Change(StrEnum):
    """What happened to the difference between the best and the worst group."""

    SMALLER = "smaller"
    LARGER = "larger"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The largest difference of the measure between two groups, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an option does on the held-back part.

    Attributes:
        against: what *before* is.
        before: the gap; None where fewer than two groups have the measure.
        after: likewise.
        best: of the two groups that the fit part tells apart best, the better one.
        worst: the other one.
        difference: best minus worst, after less before; its interval holds, since the two
            groups were chosen on the fit part.
        change: what the interval says.
        overall: before and after compared, overall and within each group.
    """

    against: str
    before: Gap | None
    after: Gap | None
    best: str
    worst: str
    difference: Estimate
    change: Change
    overall: Comparison


def rates_of(
    trial: Trial, measure: str, decision: Bools, part: Bools, alpha: float
) -> dict[str, Estimate]:
    """Return each group's measure in one part; unknown where it has no such case."""
    chosen = part & counted(trial, measure)
    right = right_decisions(measure, decision)
    noun = "positives" if measure == "sensitivity" else "negatives"
    found = {}
    for place, name in enumerate(trial.names):
        own = chosen & (trial.group == place)
        subject = None if trial.subject is None else trial.subject[own]
        found[name] = proportion(right[own], subject, alphas=(alpha,), noun=noun)
    return found


def gap_of(trial: Trial, measure: str, decision: Bools, alpha: float) -> Gap | None:
    """Return the gap on the held-back part; None where fewer than two groups have one."""
    chosen = trial.held_back & counted(trial, measure)
    right = right_decisions(measure, decision).astype(np.float64)
    value, size, df = (np.zeros((1, len(trial.names))) for _ in range(3))  # a batch of one
    for place in range(len(trial.names)):
        own = chosen & (trial.group == place)
        n = int(own.sum())
        if n == 0:
            df[0, place] = np.inf
            continue
        groups = clustering(None if trial.subject is None else trial.subject[own], n)
        value[0, place] = right[own].mean()
        size[0, place], df[0, place] = (
            (float(n), np.inf) if groups.single else effective_size(right[own], groups)
        )
    shown = size > 0
    if int(shown.sum()) < 2:
        return None
    found = ranges.gap([ranges.proportions(value, size, df, shown)], alpha=alpha)
    return Gap(value=float(found.value[0]), low=float(found.low[0]), high=float(found.high[0]))


def measure_effect(
    trial: Trial,
    measure: str,
    before: Bools,
    after: Bools,
    alpha: float,
    seed: int,
    *,
    against: str,
) -> Effect:
    """Measure on the held-back part what other decisions change.

    Args:
        trial: the cases.
        measure: whose gap it is.
        before: shape (n,), decisions as they are.
        after: shape (n,), as they would be.
        alpha: one minus the coverage of the intervals.
        seed: of simulated draws.
        against: what `before` is, in words.
    """
    best, worst = _apart(rates_of(trial, measure, before, trial.fit, alpha))
    one, other = (
        _pair_difference(trial, measure, decision, (best, worst), alpha)
        for decision in (before, after)
    )
    held = trial.held_back
    subject = None if trial.subject is None else trial.subject[held]
    change = paired_difference(
        one[0], other[0], one[1], other[1], subject, alphas=(alpha,), reach=2.0
    )
    return Effect(
        against=against,
        before=gap_of(trial, measure, before, alpha),
        after=gap_of(trial, measure, after, alpha),
        best=best,
        worst=worst,
        difference=change,
        change=_change(one[0], other[0], change),
        overall=compare(
            _as_pair(trial, before, after), measures=OVERALL, alpha=alpha, seed=seed
        ),
    )


def _apart(rates: Mapping[str, Estimate]) -> tuple[str, str]:
    """Return the two groups that are told apart best, the better one first.

    Not those with the highest and the lowest rate: these are the smallest groups, by luck.
    """

    def z(one: str, other: str) -> float:
        difference, spread = 0.0, 0.0
        for name, sign in ((one, 1.0), (other, -1.0)):
            n = rates[name].n
            share = ((rates[name].value or 0.0) * n + 0.5) / (n + 1)
            difference += sign * share
            spread += share * (1 - share) / n
        return difference / math.sqrt(spread)

    there = [name for name, rate in rates.items() if rate.value is not None]
    return max(permutations(there, 2), key=lambda pair: z(*pair))


def _pair_difference(
    trial: Trial, measure: str, decision: Bools, pair: tuple[str, str], alpha: float
) -> tuple[Estimate, Floats]:
    """Return best minus worst on the held-back part, and each held-back case's influence."""
    rates = rates_of(trial, measure, decision, trial.held_back, alpha)
    chosen = trial.held_back & counted(trial, measure)
    right = right_decisions(measure, decision)
    best, worst = (
        of_proportion(chosen & (trial.group == trial.names.index(name)), right) for name in pair
    )
    difference = combined_difference(rates[pair[1]], rates[pair[0]], alphas=(alpha,))
    if difference.value is None:
        difference = unknown(0, "a group has no such case in the held-back part")
    return difference, (best - worst)[trial.held_back]


def _change(before: Estimate, after: Estimate, change: Estimate) -> Change:
    if before.value is None or after.value is None or not change.intervals:
        return Change.NOT_SHOWN
    interval: Interval = change.intervals[0]
    if interval.low <= 0.0 <= interval.high:
        return Change.NOT_SHOWN
    # A difference that changed its sign is smaller only if it came nearer to 0.
    return Change.SMALLER if abs(after.value) < abs(before.value) else Change.LARGER


def _as_pair(trial: Trial, before: Bools, after: Bools) -> Pair:
    held = trial.held_back
    n = int(held.sum())

    def cases(decision: Bools) -> Cases:
        return Cases(
            id=np.full(n, "", dtype="<U1"),
            label=trial.label[held].astype(np.int64),
            prediction=decision[held].astype(np.int64),
            scores=np.zeros((n, 2)),
            classes=("negative", "positive"),
            subject=None if trial.subject is None else trial.subject[held],
            groups={trial.column: np.array(trial.names)[trial.group[held]]},
        )

    return Pair(a=cases(before), b=cases(after), place=1, has_prediction=True, has_score=False)


def more_cases(
    trial: Trial, measure: str, decision: Bools, place: int, alpha: float, within: float
) -> int:
    """Return how many more cases of a group narrow its interval; 0 when it is narrow enough."""
    own = trial.held_back & (trial.group == place)
    chosen = own & counted(trial, measure)
    n = int(chosen.sum())
    right = right_decisions(measure, decision)[chosen].astype(np.float64)
    subject = None if trial.subject is None else trial.subject[chosen]
    groups = clustering(subject, n)
    # Without a case nothing is known: the widest rate, and cases as they are overall.
    value = float(right.mean()) if n else 0.5
    effect = 1.0 if n == 0 or groups.single else n / effective_size(right, groups)[0]
    overall = counted(trial, measure)[trial.held_back].mean()
    share = n / int(own.sum()) if n else float(overall)
    low, high = 1, 2

    def wide(size: int) -> bool:
        ends = wilson(value, float(size), (alpha,))
        return max(float(ends[1][0]) - value, value - float(ends[0][0])) > within

    while wide(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    needed = math.ceil(high * effect)
    return max(math.ceil((needed - n) / max(share, 1e-9)), 0)
