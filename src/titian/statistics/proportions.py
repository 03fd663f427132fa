"""Proportions: Wilson's interval, with an effective n where subjects have several cases.

Wilson (JASA 22, 1927, 209-212) inverts the score test. With clustered cases the variance
by subject gives a design effect, n is divided by it, and the quantile is Student's t with
the degrees of freedom that the subjects leave (Rao and Scott 1992; Korn and Graubard 1998;
Dean and Pagano, Stat. Med. 34, 2015, 1353-1363, find this Wilson interval to cover best).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from titian.statistics.clusters import (
    Clustering,
    clustering,
    degrees_of_freedom,
    effective_subjects,
    variance,
)
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown

WILSON = "Wilson"
WILSON_BY_SUBJECT = "Wilson by subject"


def proportion(
    success: Bools, subject: Ints | None, *, alphas: Sequence[float], noun: str = "cases"
) -> Estimate:
    """Estimate a proportion with Wilson's interval, by subject where subjects repeat.

    Args:
        success: shape (n,), over the denominator's cases only.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        noun: what the denominator counts, for the reason of an unknown value.

    Returns:
        Never NaN. No cases: unknown. No or all successes: the design effect cannot be seen,
        so each subject counts as one observation (Kish's effective count). One subject with
        several cases: one observation.
    """
    n = len(success)
    if n == 0:
        return unknown(0, f"no {noun}")
    groups = clustering(subject, n)
    value = float(success.mean())
    if groups.single:
        low, high = wilson(value, float(n), alphas)
        return Estimate(
            value=value, n=n, intervals=intervals_of(alphas, low, high), method=WILSON
        )
    size, df = effective_size(success.astype(np.float64), groups)
    low, high = wilson(value, size, alphas, df=df)
    return Estimate(
        value=value, n=n, intervals=intervals_of(alphas, low, high), method=WILSON_BY_SUBJECT
    )


def wilson(
    value: float, n: float, alphas: Sequence[float], *, df: float = np.inf
) -> tuple[Floats, Floats]:
    """Return Wilson's bounds for a proportion `value` of an effective n, for each alpha."""
    q2 = quantile(alphas, df) ** 2
    centre = (value + q2 / (2 * n)) / (1 + q2 / n)
    half = np.sqrt(q2 * value * (1 - value) / n + q2**2 / (4 * n * n)) / (1 + q2 / n)
    low = np.where(value == 0.0, 0.0, np.clip(centre - half, 0.0, value))
    high = np.where(value == 1.0, 1.0, np.clip(centre + half, value, 1.0))
    return low, high


def quantile(alphas: Sequence[float], df: float = np.inf) -> Floats:
    """Return the two-sided quantile of Student's t (normal for infinite df) per alpha."""
    tail = 1.0 - np.asarray(alphas, dtype=np.float64) / 2
    found = ndtri(tail) if np.isinf(df) else stdtrit(df, tail)
    return np.asarray(found, dtype=np.float64)


def effective_size(outcome: Floats, groups: Clustering) -> tuple[float, float]:
    """Return (effective n, degrees of freedom) of the mean of a 0/1 outcome by subject.

    The design effect is not taken below 1: negative correlation within subjects is more
    often noise than nature.
    """
    n = len(outcome)
    sizes = groups.sums(np.ones(n))
    value = float(outcome.mean())
    spread = value * (1 - value)
    if spread == 0.0 or groups.subjects == 1:
        return effective_subjects(sizes), np.inf
    effect = max(variance(groups.sums(outcome - value) / n) * n / spread, 1.0)
    return max(n / effect, 1.0), degrees_of_freedom(sizes, effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectSums:
    """What the variance by subject of many proportions needs; arrays of one shape.

    Attributes:
        n: cases (or their weights, scaled to sum to the cases).
        subjects: how many have a case.
        error: sum over subjects of (successes - value * cases) squared.
        squares: sum of the squared sizes of subjects.
        cubes: sum of the third powers.
        fourths: sum of the fourth powers.
    """

    n: Floats
    subjects: Floats
    error: Floats
    squares: Floats
    cubes: Floats
    fourths: Floats


def effective_sizes(value: Floats, sums: SubjectSums) -> tuple[Floats, Floats]:
    """Return (effective n, degrees of freedom) of many proportions, as `effective_size`.

    Where every subject has one case the n is the cases' and the degrees are infinite; where
    there is no case both are 0 and infinite.
    """
    n, g = sums.n, sums.subjects
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = value * (1 - value)
        size = np.clip(spread / (sums.error * g / (g - 1) / n**2), 1.0, n)
        kish = n**2 / sums.squares
        blind = (spread == 0.0) | (g <= 1)
        excess = sums.squares / n - 1.0
        alike = np.clip(np.where(excess > 0, (n / size - 1.0) / excess, 0.0), 0.0, 1.0)
        first = n * (1 - alike) + alike * sums.squares
        second = (
            (1 - alike) ** 2 * sums.squares
            + 2 * alike * (1 - alike) * sums.cubes
            + alike**2 * sums.fourths
        )
        df = np.maximum(first**2 / second - 1.0, 1.0)
        alone = sums.squares <= n * (1 + 1e-9)
    size = np.where(alone, n, np.where(blind, kish, size))
    return np.where(n > 0, size, 0.0), np.where(blind | alone | (n <= 0), np.inf, df)
