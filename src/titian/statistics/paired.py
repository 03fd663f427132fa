"""Two models on the same cases: tests and intervals for the difference of a measure.

Tests. For shares whose denominator both models have in common (sensitivity, specificity,
accuracy): McNemar (Psychometrika 12, 1947, 153-157), exact and as mid-p, which Fagerland,
Lydersen and Laake (BMC Med. Res. Methodol. 13, 2013, 91) recommend. Where subjects have
several cases, the sign of a subject's whole difference is flipped, so that the exact test
stays exact; with one case a subject both are the same. For the AUC: DeLong, DeLong and
Clarke-Pearson (Biometrics 44, 1988, 837-845), by subject with Obuchowski's (Biometrics 53,
1997, 567-578) variance.

Intervals. The difference's variance by subject is taken from influence values and steadied
where few subjects tell the models apart: there the two models' own intervals are combined
with their correlation (MOVER: Zou and Donner, Stat. Med. 27, 2008, 1693-1702; for Wilson's
intervals it is Newcombe's method 10, Stat. Med. 17, 1998, 2635-2650).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc, ndtr, stdtr

from titian.statistics.clusters import clustering, variance
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import quantile
from titian.values import Interval

PRIOR_SUBJECTS = 6
"""Weight, in subjects that tell the models apart, of the combined intervals."""

UNSEEN = 4
"""Subjects that might disagree unseen; of models that agree on n cases and are right on half
of them, the interval is then about that of one disagreement each way (Bonett and Price, J.
Educ. Behav. Stat. 37, 2012, 479-488)."""

DIRECT_PRODUCTS = 50_000_000
"""Multiplications up to which a distribution is convolved exactly; above, by FFT."""

STEADIED = "paired, influence by subject steadied by MOVER"
COMBINED = "MOVER, correlation taken as 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """How the disagreements are divided between two models.

    Attributes:
        only_a: cases that A alone has right.
        only_b: cases that B alone has right.
        exact: two-sided p-value; never too small, and often too large.
        mid_p: two-sided p-value that counts half of what was observed; close to its level.
    """

    only_a: int
    only_b: int
    exact: float
    mid_p: float


def mcnemar(right_a: Bools, right_b: Bools, subject: Ints | None = None) -> McNemar:
    """Test whether A and B are right equally often on the same cases.

    Args:
        right_a: shape (n,), where A is right.
        right_b: shape (n,), where B is right.
        subject: shape (n,), or None when every case is its own subject.
    """
    won = right_b.astype(np.float64) - right_a
    groups = clustering(subject, len(won))
    sums = np.rint(groups.sums(won)).astype(np.int64)
    exact, mid_p = _flipped(sums)
    return McNemar(
        only_a=int((won < 0).sum()),
        only_b=int((won > 0).sum()),
        exact=exact,
        mid_p=mid_p,
    )


def _flipped(sums: Ints) -> tuple[float, float]:
    """Return (exact, mid-p) of a sum whose terms' signs are as likely + as -."""
    size = np.abs(sums[sums != 0])
    total, observed = int(size.sum()), abs(int(sums.sum()))
    if observed == 0:
        return 1.0, 1.0
    high = (total + observed) // 2  # the share of the total on the larger side
    if int(size.max()) == 1:
        beyond = float(bdtrc(high, total, 0.5)) if high < total else 0.0
        reached = float(bdtrc(high - 1, total, 0.5))
    else:
        chance = _chances(size)
        beyond, reached = float(chance[high + 1 :].sum()), float(chance[high:].sum())
    return min(2 * reached, 1.0), min(beyond + reached, 1.0)


def _chances(size: Ints) -> Floats:
    """Return the distribution of a sum of `size`, each term in or out with chance 1/2."""
    found = np.ones(1)
    for step, count in zip(*np.unique(size, return_counts=True), strict=True):
        spread = np.zeros(int(step * count) + 1)
        spread[:: int(step)] = _binomial_halves(int(count))
        if len(found) * len(spread) <= DIRECT_PRODUCTS:
            found = np.convolve(found, spread)
        else:
            from scipy.signal import fftconvolve

            found = np.maximum(fftconvolve(found, spread), 0.0)
    return found


def _binomial_halves(n: int) -> Floats:
    """Return the chances of 0 ... n heads in n tosses."""
    from scipy.special import gammaln

    k = np.arange(n + 1)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * math.log(2)
    return np.asarray(np.exp(logs))


def paired_difference(
    a: Estimate,
    b: Estimate,
    influence_a: Floats,
    influence_b: Floats,
    subject: Ints | None,
    *,
    alphas: Sequence[float],
    reach: float = 1.0,
) -> Estimate:
    """Return B minus A with intervals.

    Args:
        a: A's measure with its intervals at `alphas`.
        b: B's measure likewise, on the same cases.
        influence_a: shape (n,), what each case adds to A's error; sums to about 0.
        influence_b: shape (n,), likewise.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        reach: what the difference can be at most; 1 for measures in [0, 1].

    Returns:
        Unknown where either measure is; without an interval where either has none.
    """
    if a.value is None or b.value is None:
        return unknown(b.n, _reason(a, b))
    value = b.value - a.value
    if not (a.intervals and b.intervals):
        return Estimate(value=value, n=b.n, reason=_reason(a, b))
    groups = clustering(subject, len(influence_a))
    of_a, of_b = groups.sums(influence_a), groups.sums(influence_b)
    scale = math.sqrt(float((of_a**2).sum() * (of_b**2).sum()))
    correlation = float((of_a * of_b).sum()) / scale if scale > 0 else 0.0
    # Two models that agree on every case seen need not be one and the same.
    carried = min(standard_error(of_a)[1], standard_error(of_b)[1])
    correlation = min(correlation, 1 - UNSEEN / (UNSEEN + carried))
    below, above = _combined(a, b, correlation)
    error, count = standard_error(of_b - of_a)
    if count > 0:
        weight = PRIOR_SUBJECTS / (PRIOR_SUBJECTS + count)
        own = (1 - weight) * (quantile(alphas, max(count - 1, 1.0)) * error) ** 2
        below = np.sqrt(own + weight * below**2)
        above = np.sqrt(own + weight * above**2)
    return Estimate(
        value=value,
        n=b.n,
        intervals=_within_reach(alphas, value - below, value + above, reach),
        method=STEADIED,
    )


def combined_difference(a: Estimate, b: Estimate, *, alphas: Sequence[float]) -> Estimate:
    """Return B minus A from their own intervals alone, as if they were independent.

    For a measure whose influence values are not known. Two models judged on the same cases
    err together more often than not, so that the interval is too wide rather than too short.
    """
    if a.value is None or b.value is None:
        return unknown(b.n, _reason(a, b))
    value = b.value - a.value
    if not (a.intervals and b.intervals):
        return Estimate(value=value, n=b.n, reason=_reason(a, b))
    below, above = _combined(a, b, 0.0)
    return Estimate(
        value=value,
        n=b.n,
        intervals=_within_reach(alphas, value - below, value + above, 1.0),
        method=COMBINED,
    )


def standard_error(contribution: Floats) -> tuple[float, float]:
    """Return the standard error of a sum over subjects, and how many subjects carry it.

    Args:
        contribution: shape (subjects,), summing to about 0.

    Returns:
        The count is that of equal contributions with the same fourth moment: for paired
        shares about the number of subjects on which the models disagree.
    """
    squares = float((contribution**2).sum())
    if squares == 0.0:
        return 0.0, 0.0
    # Scaled first: fourth powers of 1/n would underflow for millions of cases.
    scaled = contribution / math.sqrt(squares)
    return math.sqrt(variance(contribution)), float(1.0 / (scaled**4).sum())


def z_test(
    value: float, influence_a: Floats, influence_b: Floats, subject: Ints | None
) -> float:
    """Return the two-sided p-value of a difference, from its variance by subject.

    For the AUC this is DeLong's test. 1.0 where nothing tells the models apart.
    """
    groups = clustering(subject, len(influence_a))
    error, count = standard_error(groups.sums(influence_b - influence_a))
    if error == 0.0:
        return 1.0
    statistic = abs(value) / error
    if groups.single:
        return float(2 * ndtr(-statistic))
    return float(2 * stdtr(max(count - 1, 1.0), -statistic))


def _combined(a: Estimate, b: Estimate, correlation: float) -> tuple[Floats, Floats]:
    """Return how far the difference's interval reaches down and up, shape (alphas,)."""
    va, vb = a.value or 0.0, b.value or 0.0
    down_a, up_a = _reach(a, va)
    down_b, up_b = _reach(b, vb)

    def joint(one: Floats, other: Floats) -> Floats:
        square = one**2 + other**2 - 2 * correlation * one * other
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    return joint(down_b, up_a), joint(up_b, down_a)


def _within_reach(
    alphas: Sequence[float], low: Floats, high: Floats, reach: float
) -> tuple[Interval, ...]:
    """Cut the bounds to what the difference can be."""
    return intervals_of(alphas, np.maximum(low, -reach), np.minimum(high, reach))


def _reach(estimate: Estimate, value: float) -> tuple[Floats, Floats]:
    low = np.array([value - interval.low for interval in estimate.intervals])
    high = np.array([interval.high - value for interval in estimate.intervals])
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def _reason(a: Estimate, b: Estimate) -> str:
    parts = [f"{name}: {found.reason}" for name, found in (("A", a), ("B", b)) if found.reason]
    return "; ".join(parts)
