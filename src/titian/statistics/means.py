"""The mean of a bounded quantity by subject, such as the Brier score's squared errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from titian.statistics.bootstrap import bca
from titian.statistics.clusters import clustering, degrees_of_freedom, variance
from titian.statistics.estimate import Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import quantile

FEW_SUBJECTS = 2_000
"""Up to here the bootstrap is run; beyond, mean and t interval agree to a per cent of width."""

BCA = "BCa bootstrap"
BCA_BY_SUBJECT = "BCa bootstrap by subject"
STUDENT = "Student t"
STUDENT_BY_SUBJECT = "Student t by subject"


def mean(
    values: Floats,
    subject: Ints | None,
    *,
    alphas: Sequence[float],
    rng: np.random.Generator,
    upper: float = 1.0,
) -> Estimate:
    """Estimate the mean of values in [0, upper].

    Args:
        values: shape (n,), finite.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        rng: where the bootstrap's draws come from.
        upper: the largest value that can occur; the smallest is 0.
    """
    n = len(values)
    if n == 0:
        return unknown(0, "no cases")
    groups = clustering(subject, n)
    value = float(values.mean())
    if groups.subjects < 2:
        return Estimate(value=value, n=n, reason="an interval needs two subjects")
    influence = groups.sums(values - value) / n
    sizes = groups.sums(np.ones(n))
    if groups.subjects > FEW_SUBJECTS:
        reach = quantile(alphas, degrees_of_freedom(sizes)) * np.sqrt(variance(influence))
        low, high = value - reach, value + reach
        method = STUDENT if groups.single else STUDENT_BY_SUBJECT
    else:
        totals = groups.sums(values)

        def statistic(counts: Floats) -> Floats:
            return np.asarray((counts @ totals) / (counts @ sizes))

        low, high = bca(statistic, value, influence, alphas=alphas, rng=rng)
        method = BCA if groups.single else BCA_BY_SUBJECT
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(alphas, np.clip(low, 0, value), np.clip(high, value, upper)),
        method=method,
    )
