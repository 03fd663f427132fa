"""Does a group differ from the rest? A score test by subject, and Holm's correction.

The binomial variance is taken under the hypothesis that group and rest share one proportion
(Rao's score test), so that a group without any success still gives a finite answer. The
design effect (Rao and Scott, Biometrics 48, 1992) is taken from the subjects' residuals about
their own side's proportion: about the pooled one a true difference would count as
resemblance within subjects and hide itself. A subject with cases on both sides is counted as
one. In small groups that test accuses too easily, so the p-value is never below Fisher's
exact one for the counts divided by the design effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtr, stdtr

from titian.statistics.clusters import (
    Clustering,
    clustering,
    degrees_of_freedom,
    variance,
)
from titian.statistics.estimate import Bools, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A group's proportion against the rest's.

    Attributes:
        group: proportion in the group; None without cases.
        rest: proportion among the others; None without cases.
        p_value: two-sided; 1.0 where either side is empty or nothing varies.
    """

    group: float | None
    rest: float | None
    p_value: float


def proportion_difference(success: Bools, member: Bools, subject: Ints | None) -> Difference:
    """Test whether cases in a group succeed as often as the others.

    Args:
        success: shape (n,), over the measure's denominator.
        member: shape (n,), True in the group.
        subject: shape (n,), or None when every case is its own subject.
    """
    inside, outside = int(member.sum()), int((~member).sum())
    group = float(success[member].mean()) if inside else None
    rest = float(success[~member].mean()) if outside else None
    if group is None or rest is None:
        return Difference(group=group, rest=rest, p_value=1.0)
    groups = clustering(subject, len(success))
    pooled = float(success.mean())
    binomial = pooled * (1 - pooled) * (1.0 / inside + 1.0 / outside)
    if binomial == 0.0:
        return Difference(group=group, rest=rest, p_value=1.0)
    effect = 1.0 if groups.single else _design_effect(groups, success, member)
    df = min(
        degrees_of_freedom(groups.sums(side.astype(np.float64)), effect)
        for side in (member, ~member)
    )
    statistic = abs(group - rest) / math.sqrt(effect * binomial)
    score = 2.0 * (ndtr(-statistic) if groups.single else stdtr(df, -statistic))
    return Difference(
        group=group,
        rest=rest,
        p_value=float(max(score, _fisher(success, member, effect))),
    )


def _design_effect(groups: Clustering, success: Bools, member: Bools) -> float:
    """Return how much resemblance within subjects widens the difference's variance, >= 1.

    Where nothing varies within either side resemblance cannot be seen; then each subject
    counts as one case.
    """
    weighted = np.zeros(len(success))
    binomial = 0.0
    for side, sign in ((member, 1.0), (~member, -1.0)):
        n, own = int(side.sum()), float(success[side].mean())
        weighted[side] = sign * (success[side] - own) / n
        binomial += own * (1 - own) / n
    if binomial == 0.0:
        sizes = groups.sums(np.ones(len(success)))
        return float((sizes**2).sum() / sizes.sum())
    return max(variance(groups.sums(weighted)) / binomial, 1.0)


def _fisher(success: Bools, member: Bools, effect: float) -> float:
    """Return Fisher's exact p-value of the counts divided by the design effect."""
    table = np.array(
        [
            [int((success & side).sum()), int((~success & side).sum())]
            for side in (member, ~member)
        ]
    )
    return fisher_exact(np.round(table / effect).astype(np.int64))


def fisher_exact(table: Ints) -> float:
    """Return the two-sided p-value of a 2 x 2 table with its margins fixed.

    Tables no likelier than the one seen are summed up (Fisher 1935, as R and SciPy do).
    SciPy's own lies in scipy.stats, whose import takes longer than a whole validation.
    """
    (seen, _), (other, _) = table.tolist()
    rows, n = table.sum(axis=1), int(table.sum())
    successes = seen + other
    count = np.arange(max(0, successes - int(rows[1])), min(successes, int(rows[0])) + 1)
    log = -(
        gammaln(count + 1)
        + gammaln(rows[0] - count + 1)
        + gammaln(successes - count + 1)
        + gammaln(n - rows[0] - successes + count + 1)
    )
    share = np.exp(log - log.max())
    likely = share[seen - int(count[0])] * (1 + 1e-7)
    return float(min(share[share <= likely].sum() / share.sum(), 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p-values, in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted
