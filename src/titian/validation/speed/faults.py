"""Slowness planted where the checks must see it: proof that a timing can fail.

Both faults are such that a careless timing misses them. A slow path of 2 % of the queries
moves neither the mean nor the median; a single stall is one slow query to whoever sends the
next query only after the last answer, and hundreds of late ones to those who waited.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from titian.validation.speed.checks import BOUND_NOT_SHOWN
from titian.validation.speed.early_stopping import CONFIDENCE, check_bound
from titian.validation.speed.generator import System, generate
from titian.validation.speed.measurement import Speed, judge
from titian.validation.speed.scenario import Load, Scenario
from titian.validation.speed.trace import Trace
from titian.values import Control

FALSE_ALARM_RATE = round(1.0 - CONFIDENCE, 9)
"""The check accuses a system that meets its bound at most this often."""

SLOW_SHARE = 0.02
QUERIES = 1_500
SMALLEST_BOUND_MS = 5.0
BOUND_FACTOR = 3.0
LONGEST_S = 10.0

STALL_S = 0.2
STALL_QPS = 1_000.0
STALL_LENGTH_S = 1.5


def slow_path(
    system: System, *, pause_s: float, share: float = SLOW_SHARE, pause: Callable[[float], None]
) -> System:
    """Let a share of the queries, evenly spread, sleep before they are answered."""
    every = round(1 / share)

    def slowed(query: int, samples: int) -> object:
        if query % every == every - 1:
            pause(pause_s)
        return system(query, samples)

    return slowed


def stall(system: System, *, stall_s: float, pause: Callable[[float], None]) -> System:
    """Let a system stop once, at its first query."""

    def stalled(query: int, samples: int) -> object:
        if query == 0:
            pause(stall_s)
        return system(query, samples)

    return stalled


def controls(found: Speed, system: System) -> tuple[Control, ...]:
    """Plant a slow path in the system of a run, and a stall in one that does nothing."""
    return (_slow_path(found, system), _stall())


def _slow_path(found: Speed, system: System) -> Control:
    slowest = max((v.value for _, v in found.latency if v.value is not None), default=0.0)
    bound_ms = max(SMALLEST_BOUND_MS, BOUND_FACTOR * slowest)
    each_s = (found.mean_ms or 0.0) / 1e3
    able = QUERIES * (each_s + 2e-3 * bound_ms * SLOW_SHARE) < LONGEST_S
    if not able or not found.trace.answered.all():
        system, bound_ms = _nothing, SMALLEST_BOUND_MS
    load = Load(
        percentile=0.99,
        target_latency_ms=bound_ms,
        min_duration_s=0.0,
        min_queries=QUERIES,
        samples_per_query=found.trace.load.samples_per_query,
    )
    slowed = slow_path(system, pause_s=2e-3 * bound_ms, pause=time.sleep)
    where = "in the run's own system" if system is not _nothing else "in one that does nothing"
    return _held(
        generate(slowed, load),
        fault=f"{SLOW_SHARE:.0%} of the queries sleep {2 * bound_ms:.3g} ms ({where})",
    )


def _stall() -> Control:
    load = Load(
        scenario=Scenario.SERVER,
        percentile=0.99,
        target_latency_ms=SMALLEST_BOUND_MS,
        target_qps=STALL_QPS,
        min_duration_s=STALL_LENGTH_S,
        min_queries=1,
    )
    stalled = stall(_nothing, stall_s=STALL_S, pause=time.sleep)
    return _held(
        generate(stalled, load, workers=1),
        fault=f"one stall of {STALL_S:g} s while queries keep coming (in a system that does "
        "nothing)",
    )


def _held(trace: Trace, *, fault: str) -> Control:
    bound_ms = trace.load.target_latency_ms or 0.0
    bound = check_bound(trace.latency_ns, trace.load.percentile, bound_ns=bound_ms * 1e6)
    verdict = judge(trace, bound)
    return Control(
        check=BOUND_NOT_SHOWN,
        fault=fault,
        found=verdict.status == "not met",
        detail=f"{verdict.status}: {verdict.detail}",
        false_alarm_rate=FALSE_ALARM_RATE,
    )


def _nothing(_query: int, _samples: int) -> None:
    return
