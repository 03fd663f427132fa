"""Does a group differ from the rest? A score test by subject, and Holm's correction.

The variance is taken under the hypothesis that group and rest share one proportion, from
the subjects' residuals about it (Rao's score test; Rao and Scott, Biometrics 48, 1992), so
that a group without any success still gives a finite answer, and a subject with cases on
both sides is counted as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from titian.statistics.clusters import clustering, degrees_of_freedom, variance
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
    residual = success - success.mean()
    weight = np.where(member, 1.0 / inside, -1.0 / outside)
    spread = variance(groups.sums(residual * weight))
    if spread <= 0.0:
        return Difference(group=group, rest=rest, p_value=1.0)
    df = degrees_of_freedom(groups.sums(np.abs(weight)))
    statistic = abs(group - rest) / np.sqrt(spread)
    return Difference(group=group, rest=rest, p_value=float(2 * stdtr(df, -statistic)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p-values, in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted
