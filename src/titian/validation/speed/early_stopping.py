"""Early stopping: how many queries a statement about a tail percentile needs.

With n queries of which t took longer than a bound, the share p of queries within the bound
is shown at confidence c when a system whose share is exactly p would have at most t such
queries with probability 1 - c or less:

    P(Binomial(n, 1 - p) <= t)  =  I_p(n - t, 1 + t)  <=  1 - c

Written with h = n - t queries within the bound, h_min(t) is the smallest h for which that
holds. Source: MLPerf Inference rules, early stopping; LoadGen states it with p - d in place
of p, c = 0.99 and a tolerance d = 0, and so does this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import Floats

CONFIDENCE = 0.99
"""c: the confidence at which a percentile is shown."""

TOLERANCE = 0.0
"""d: how far the true share may lie below the percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEstimate:
    """What single- and multi-stream report: a latency that the percentile does not exceed.

    Attributes:
        percentile: in (0, 1).
        queries: n.
        discarded: t, the rank from the top of the reported latency; 0 when unknown.
        latency_ns: the t-th largest latency; None when n is below `needed`.
        needed: the smallest n from which anything is reported: h_min(1) + 1.
    """

    percentile: float
    queries: int
    discarded: int
    latency_ns: float | None
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCheck:
    """Whether a latency bound holds at a percentile.

    Attributes:
        percentile: in (0, 1).
        bound_ns: the latency bound; a query *over* it took strictly longer.
        queries: n.
        over: t.
        needed: h_min(t) + t, the queries that t over-latency ones need.
        passed: n >= needed.
        failed: a system that meets the bound would have t over-latency queries or more
            with probability at most 1 - c: the bound is shown to be broken.
    """

    percentile: float
    bound_ns: float
    queries: int
    over: int
    needed: int
    passed: bool
    failed: bool

    @property
    def verdict(self) -> str:
        """``met``, ``not met`` or ``not shown``."""
        return "met" if self.passed else "not met" if self.failed else "not shown"

    @property
    def lacking(self) -> int:
        """Further queries, all within the bound, that would settle it; 0 when met."""
        return max(0, self.needed - self.queries)


def odds(h: int, t: int, percentile: float) -> float:
    """Return the probability of at most `t` over-latency queries among h + t at the brink."""
    from scipy.special import betainc

    if h <= 0:
        return 1.0
    return float(betainc(float(h), float(1 + t), percentile - TOLERANCE))


def min_passing(t: int, percentile: float) -> int:
    """Return h_min(t): the fewest queries within the bound that make up for `t` over it.

    Raises:
        InputError: T-V160, the percentile is not inside (0, 1).
    """
    check_percentile(percentile)
    if t < 0:
        raise ValueError(f"{t} queries cannot be over the bound")
    share = 1.0 - CONFIDENCE
    low, high = 0, 1
    while odds(high, t, percentile) > share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if odds(middle, t, percentile) > share:
            low = middle
        else:
            high = middle
    return high


def min_queries(percentile: float) -> int:
    """Return the floor: the fewest queries for which single-stream reports a latency."""
    return min_passing(1, percentile) + 1


def most_discarded(queries: int, percentile: float) -> int:
    """Return the largest t with ``queries >= h_min(t) + t``; 0 when even t = 1 needs more.

    n >= h_min(t) + t says that odds(n - t, t) is at most 1 - c; the odds grow with t at a
    fixed n, so the largest t is found by halving.
    """
    check_percentile(percentile)
    share = 1.0 - CONFIDENCE
    low, high = 0, queries
    while high - low > 1:
        middle = (low + high) // 2
        if odds(queries - middle, middle, percentile) <= share:
            low = middle
        else:
            high = middle
    return low


def estimate_latency(latency_ns: Floats, percentile: float) -> LatencyEstimate:
    """Return the early-stopping estimate of a percentile, as single-stream reports it.

    Args:
        latency_ns: shape (n,), one per query; infinite where there was no answer.
        percentile: in (0, 1).
    """
    n = len(latency_ns)
    t = most_discarded(n, percentile)
    held: float | None = None
    if t:
        held = float(np.partition(latency_ns, n - t)[n - t])
    return LatencyEstimate(
        percentile=percentile,
        queries=n,
        discarded=t,
        latency_ns=held,
        needed=min_queries(percentile),
    )


def check_bound(latency_ns: Floats, percentile: float, *, bound_ns: float) -> BoundCheck:
    """Judge a latency bound at a percentile, as the server scenario does.

    Args:
        latency_ns: shape (n,), one per query; infinite where there was no answer.
        percentile: in (0, 1).
        bound_ns: the longest latency within the bound.
    """
    from scipy.special import bdtrc

    n = len(latency_ns)
    over = int(np.count_nonzero(latency_ns > bound_ns))
    needed = min_passing(over, percentile) + over
    as_many = float(bdtrc(over - 1, n, 1.0 - percentile)) if over else 1.0
    return BoundCheck(
        percentile=percentile,
        bound_ns=bound_ns,
        queries=n,
        over=over,
        needed=needed,
        passed=n >= needed,
        failed=n < needed and as_many <= 1.0 - CONFIDENCE,
    )


def check_percentile(percentile: float) -> None:
    """Refuse a percentile outside (0, 1).

    Raises:
        InputError: T-V160.
    """
    if not 0.0 < percentile < 1.0:
        raise InputError(
            Problem(
                code="T-V160",
                message=f"percentile {percentile * 100:g} is not between 0 and 100.",
                remedy="Give the percentile in percent, such as 90, 99 or 99.9.",
            )
        )
