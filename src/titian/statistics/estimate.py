"""A number with its intervals, before it is given a name.

One computation gives the interval at several alphas: the first is the one to show, the
others (`ladder`) are what Holm's step-down needs for a family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from titian.values import Interval

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What was estimated, on how many, and how sure we are.

    Attributes:
        value: the estimate; None when it is unknown (a zero denominator).
        n: the denominator in cases.
        intervals: one for each alpha asked for, in that order; empty when unknown.
        method: how the intervals were made.
        reason: why value or intervals are unknown; empty otherwise.
    """

    value: float | None
    n: int
    intervals: tuple[Interval, ...] = ()
    method: str = ""
    reason: str = ""


def ladder(alpha: float, m: int) -> tuple[float, ...]:
    """Return alpha, alpha/2, ..., alpha/m: the levels of Holm's step-down for m rows."""
    return tuple(alpha / k for k in range(1, max(m, 1) + 1))


def intervals_of(alphas: Sequence[float], low: Floats, high: Floats) -> tuple[Interval, ...]:
    """Pair each alpha with its bounds.

    Raises:
        ValueError: a bound is not finite, or lies on the wrong side of the other; silence
            about either would turn into a verdict later.
    """
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise ValueError(f"interval bounds are not ordered numbers: {low} {high}")
    return tuple(
        Interval(alpha=float(a), low=float(lo), high=float(hi))
        for a, lo, hi in zip(alphas, low, high, strict=True)
    )


def unknown(n: int, reason: str) -> Estimate:
    """Return an estimate that has no value, and why."""
    return Estimate(value=None, n=n, reason=reason)
