"""When queries are due: Poisson arrivals from a seed.

The generator of LoadGen is C++'s Mersenne twister, so the same seed gives other times there;
the process is the same: independent exponential gaps, the first query at 0, the last one at
or after the smallest duration.
"""

from __future__ import annotations

import math

import numpy as np

from titian.statistics.estimate import Ints
from titian.validation.speed.scenario import Load


def poisson_arrivals(
    qps: float, *, min_duration_s: float, min_queries: int, rng: np.random.Generator
) -> Ints:
    """Draw when each query is due, in nanoseconds from the start, not decreasing.

    Args:
        qps: expected queries a second.
        min_duration_s: the last query is due at or after this.
        min_queries: there are at least this many.
        rng: draws the gaps.

    Returns:
        Shape (n,); the first is 0.
    """
    length_ns = min_duration_s * 1e9
    expected = max(qps * min_duration_s, float(min_queries))
    size = math.ceil(expected + 6.0 * math.sqrt(expected) + 16.0)
    due = np.zeros(1)
    while due[-1] < length_ns or len(due) < min_queries:
        gaps = rng.exponential(1e9 / qps, size)
        due = np.concatenate([due, due[-1] + np.cumsum(gaps)])
    last = max(int(np.searchsorted(due, length_ns)), min_queries - 1)
    return due[: last + 1].astype(np.int64)


def arrivals(load: Load) -> Ints:
    """Draw the schedule of a server load from its own seed."""
    if load.target_qps is None:
        raise ValueError("only the server scenario has a schedule")
    return poisson_arrivals(
        load.target_qps,
        min_duration_s=load.min_duration_s,
        min_queries=load.min_queries,
        rng=np.random.default_rng(load.seed),
    )
