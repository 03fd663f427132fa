"""Latency and throughput with intervals.

A percentile's interval is made of order statistics and holds for every distribution: with n
independent queries the number at or below the true p-quantile is Binomial(n, p). Queries of
one run are not independent (a burst delays its neighbours), so n is first divided by the
*inflation*: how much more the share above the percentile varies between batches of the run
than it would if queries were independent (method of batch means).

Sources: David and Nagaraja, Order Statistics (2003), section 7.1; Law, Simulation Modeling
and Analysis (2015), section 9.5; Kuensch (1989) for the moving-block bootstrap.
"""

from __future__ import annotations

import math

import numpy as np

from titian.statistics import Estimate
from titian.statistics.estimate import Floats, intervals_of, unknown
from titian.validation.speed.scenario import Scenario
from titian.validation.speed.trace import Trace

ALPHA = 0.05
"""One minus the coverage of the intervals shown."""

SHOWN = (0.50, 0.90, 0.95, 0.97, 0.99, 0.999)
"""Percentiles that LoadGen lists too."""

DRAWS = 1_000
CHUNK = 1_000_000  # blocks drawn at once, to bound memory
FEWEST_BLOCKS = 10
BATCHES = 30
NS_PER_MS = 1e6


def percentile_rank(n: int, percentile: float) -> int:
    """Return the place from 0 in ascending order that LoadGen reads a percentile from."""
    return min(int(n * percentile), n - 1)


def latency_percentile(
    latency_ns: Floats, percentile: float, *, alpha: float = ALPHA
) -> Estimate:
    """Return a percentile of the latency in milliseconds, with its interval.

    Args:
        latency_ns: shape (n,) in the order of the run; infinite where there was no answer.
        percentile: in (0, 1).
        alpha: one minus the coverage.

    Returns:
        No value where the percentile falls among unanswered queries; no interval where n is
        too small for one.
    """
    n = len(latency_ns)
    if n == 0:
        return unknown(0, "no query was sent")
    ordered = np.sort(latency_ns)
    value = float(ordered[percentile_rank(n, percentile)])
    if not math.isfinite(value):
        over = float(np.mean(~np.isfinite(latency_ns)))
        return unknown(n, f"{over:.2%} of the queries had no answer")
    spread = inflation(latency_ns, value)
    ranks = quantile_ranks(n, percentile, alpha=alpha, inflation=spread)
    if ranks is None:
        needed = math.ceil(math.log(alpha / 2) / math.log(max(percentile, 1 - percentile)))
        return Estimate(
            value=value / NS_PER_MS,
            n=n,
            reason=f"{n:,} queries count as {max(1, round(n / spread)):,} independent ones; an "
            f"interval needs {needed:,}",
        )
    low, high = (float(ordered[rank]) for rank in ranks)
    if not math.isfinite(high):
        return Estimate(
            value=value / NS_PER_MS, n=n, reason="the interval reaches unanswered queries"
        )
    return Estimate(
        value=value / NS_PER_MS,
        n=n,
        intervals=intervals_of((alpha,), np.array([low]) / NS_PER_MS, np.array([high]) / 1e6),
        method="order statistics, batch means",
    )


def quantile_ranks(
    n: int, percentile: float, *, alpha: float = ALPHA, inflation: float = 1.0
) -> tuple[int, int] | None:
    """Return the places from 0 of the two order statistics that enclose a quantile.

    Returns:
        None where so few queries cannot enclose it at this level.
    """
    from scipy.special import bdtr

    count = max(1, round(n / inflation))
    at_most = np.asarray(bdtr(np.arange(count + 1, dtype=np.float64), count, percentile))
    below = int(np.searchsorted(at_most, alpha / 2, side="right"))  # ranks counted from 1
    above = int(np.searchsorted(at_most, 1 - alpha / 2, side="left")) + 1
    if below < 1 or above > count:
        return None
    low = math.floor(below / count * n)
    high = math.ceil(above / count * n)
    return max(low, 1) - 1, min(high, n) - 1


def inflation(latency_ns: Floats, bound_ns: float) -> float:
    """Return how much dependence between queries widens a share's variance; at least 1.

    Args:
        latency_ns: in the order of the run.
        bound_ns: the share is that of queries over this.
    """
    over = latency_ns > bound_ns
    n, share = len(over), float(over.mean())
    size = n // BATCHES
    if size < 2 or share in (0.0, 1.0):
        return 1.0
    batches = over[: size * BATCHES].reshape(BATCHES, size).mean(axis=1)
    spread = float(batches.var(ddof=1)) * size / (share * (1.0 - share))
    return min(max(1.0, spread), n / 2)


def throughput(trace: Trace, *, rng: np.random.Generator, alpha: float = ALPHA) -> Estimate:
    """Return samples answered a second, with a moving-block bootstrap interval.

    Args:
        trace: of a run.
        rng: draws the blocks.
        alpha: one minus the coverage.

    Returns:
        Without an interval in the server scenario, where the arrivals set the rate.
    """
    answered = trace.answered
    samples = trace.samples[answered]
    if not len(samples) or trace.wall_s <= 0:
        return unknown(len(trace), "no query was answered")
    n = len(samples)
    if trace.load.scenario is Scenario.SERVER:
        last_s = trace.wall_s
        return Estimate(value=n / last_s, n=n, reason="the arrivals set the rate")
    done = trace.done_ns[answered].astype(np.float64)
    order = np.argsort(done, kind="stable")
    gaps = np.diff(done[order], prepend=0.0)
    sizes = samples[order].astype(np.float64)
    value = float(sizes.sum() / gaps.sum() * 1e9)
    drawn = block_bootstrap(sizes, gaps, rng=rng)
    if drawn is None:
        return Estimate(value=value, n=n, reason=f"{n} calls are too few for an interval")
    low, high = np.quantile(drawn * 1e9, [alpha / 2, 1 - alpha / 2])
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of((alpha,), np.array([low]), np.array([high])),
        method="moving-block bootstrap",
    )


def block_bootstrap(top: Floats, bottom: Floats, *, rng: np.random.Generator) -> Floats | None:
    """Draw the ratio of two sums over whole blocks of a series.

    Args:
        top: shape (n,), in the order of the run.
        bottom: shape (n,), positive sums.
        rng: draws the blocks.

    Returns:
        Shape (draws,); None where the series has fewer than `FEWEST_BLOCKS` blocks of 2.
    """
    n = len(top)
    size = max(2, round(n ** (1 / 3)))
    blocks = n // size
    if blocks < FEWEST_BLOCKS:
        return None
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (top, bottom)]
    drawn = np.empty(DRAWS)
    step = max(1, CHUNK // blocks)
    for first in range(0, DRAWS, step):
        rows = min(step, DRAWS - first)
        begin = rng.integers(0, n - size + 1, (rows, blocks))
        above, below = ((part[begin + size] - part[begin]).sum(axis=1) for part in sums)
        drawn[first : first + rows] = above / below
    return drawn
