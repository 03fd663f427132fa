"""The load generator's own overhead, measured on a system that does nothing.

Whatever the generator takes is in every latency it reports. So each run is accompanied by
the same scenario on an empty system, and by how late its own queries left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from titian.statistics.estimate import Floats
from titian.validation.speed.generator import generate
from titian.validation.speed.scenario import Load, Scenario
from titian.validation.speed.trace import Trace

PROBE_S = 0.5
PROBE_QUERIES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What the generator adds.

    Attributes:
        delay_p50_us: in the run, from when a query was due to when it left (server), or
            from an answer to the next query (closed loops); None in the offline scenario.
        delay_p99_us: the same at the 99th percentile.
        delay_max_us: the longest.
        starved_share: share of the run in which the generator was ready and others had the
            processors; None where the system does not tell.
        empty_p50_us: latency of a system that does nothing, in the same scenario.
        empty_p99_us: the same at the 99th percentile.
        empty_cpu_us: processor time a query of that system: the generator's own.
    """

    delay_p50_us: float | None
    delay_p99_us: float | None
    delay_max_us: float | None
    starved_share: float | None
    empty_p50_us: float
    empty_p99_us: float
    empty_cpu_us: float


def measure_overhead(trace: Trace, *, workers: int) -> Overhead:
    """Run an empty system as `trace` was run, for half a second, and compare.

    Args:
        trace: of the run whose generator is asked about.
        workers: as in that run.
    """
    empty = generate(_nothing, probe_load(trace.load), workers=workers)
    latency = empty.latency_ns[empty.answered] / 1e3
    delay = own_delay_us(trace)
    return Overhead(
        delay_p50_us=_at(delay, 0.50),
        delay_p99_us=_at(delay, 0.99),
        delay_max_us=_at(delay, 1.0),
        starved_share=None
        if trace.waited_s is None or not trace.wall_s
        else min(trace.waited_s / trace.wall_s, 1.0),
        empty_p50_us=_at(latency, 0.50) or 0.0,
        empty_p99_us=_at(latency, 0.99) or 0.0,
        empty_cpu_us=empty.cpu_s * 1e6 / max(len(empty), 1),
    )


def probe_load(load: Load) -> Load:
    """Return the load on an empty system: the same arrivals, for at most half a second."""
    if load.scenario is Scenario.OFFLINE:
        load = replace(load, scenario=Scenario.SINGLE_STREAM)
    return replace(
        load,
        min_duration_s=min(PROBE_S, load.min_duration_s) if load.target_qps else 0.0,
        min_queries=1 if load.target_qps else PROBE_QUERIES,
        max_duration_s=4 * PROBE_S,
    )


def own_delay_us(trace: Trace) -> Floats:
    """Return the generator's own delay before each query, in microseconds; may be empty."""
    match trace.load.scenario:
        case Scenario.SERVER:
            return trace.delay_ns / 1e3
        case Scenario.OFFLINE:
            return np.empty(0)
        case Scenario.SINGLE_STREAM | Scenario.MULTI_STREAM:
            gaps = trace.issued_ns[1:] - trace.done_ns[:-1]
            return gaps.astype(np.float64) / 1e3


def _at(values: Floats, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None


def _nothing(_query: int, _samples: int) -> None:
    return
