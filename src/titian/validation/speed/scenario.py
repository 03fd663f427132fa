"""The four load scenarios, with the meaning that MLPerf's LoadGen gives them.

    single-stream   the next query is sent when the last one is answered
    multi-stream    the same, with several samples a query; all of them must be answered
    server          queries of one sample arrive by a Poisson process, whatever happens
    offline         all samples are handed over at once; only throughput counts

A run ends when the smallest duration and the smallest number of queries are both reached.
Source: Reddi et al., MLPerf Inference Benchmark (2020), and the rules of MLPerf Inference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from titian.errors import InputError, Problem
from titian.validation.speed.early_stopping import check_percentile


class Scenario(StrEnum):
    """How queries come."""

    SINGLE_STREAM = "single-stream"
    MULTI_STREAM = "multi-stream"
    SERVER = "server"
    OFFLINE = "offline"


PERCENTILES = {
    Scenario.SINGLE_STREAM: 0.90,
    Scenario.MULTI_STREAM: 0.99,
    Scenario.SERVER: 0.99,
    Scenario.OFFLINE: 0.99,
}
"""The percentile that each scenario reports unless another is asked for."""

SAMPLES_PER_QUERY = 8
"""Of multi-stream, unless another number is asked for."""

LONGEST_QPS = 1e6
"""A schedule of more queries a second than this cannot be kept by any process."""

MOST_QUERIES = 50_000_000
"""Larger schedules would not fit into memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of the system under test.

    Attributes:
        scenario: how queries come.
        percentile: of the latency, in (0, 1).
        target_latency_ms: the bound at that percentile; None where none is stated.
        target_qps: queries a second of the server scenario; None otherwise.
        min_duration_s: the run lasts at least this long.
        min_queries: and has at least this many queries.
        max_duration_s: the run is cut off here, both of the above notwithstanding.
        samples_per_query: 1 but in multi-stream.
        seed: of the schedule.
    """

    scenario: Scenario = Scenario.SINGLE_STREAM
    percentile: float = 0.90
    target_latency_ms: float | None = None
    target_qps: float | None = None
    min_duration_s: float = 10.0
    min_queries: int = 100
    max_duration_s: float = 600.0
    samples_per_query: int = 1
    seed: int = 0


def make_load(
    scenario: str = "single-stream",
    percentile: float | None = None,
    *,
    target_latency_ms: float | None = None,
    target_qps: float | None = None,
    min_duration_s: float = 10.0,
    min_queries: int | None = None,
    max_duration_s: float = 600.0,
    samples_per_query: int | None = None,
    seed: int = 0,
) -> Load:
    """Check what was asked for and fill in each scenario's own defaults.

    Args:
        scenario: one of `Scenario`.
        percentile: in percent; None takes the scenario's own of `PERCENTILES`.
        target_latency_ms: as in `Load`.
        target_qps: as in `Load`.
        min_duration_s: as in `Load`.
        min_queries: None takes 100, as LoadGen does.
        max_duration_s: as in `Load`.
        samples_per_query: None takes 8 for multi-stream and 1 otherwise.
        seed: as in `Load`.

    Raises:
        InputError: T-V160 the percentile, T-V161 the scenario, T-V162 a number out of
            range, T-V163 an option that does not belong to the scenario, or one it lacks.
            All found are raised together.
    """
    problems: list[Problem] = []
    kind = Scenario.SINGLE_STREAM
    try:
        kind = Scenario(scenario)
    except ValueError:
        problems.append(
            Problem(
                code="T-V161",
                message=f"scenario {scenario!r} is unknown; known are {', '.join(Scenario)}.",
                remedy="Name one of them.",
            )
        )
    share = PERCENTILES[kind] if percentile is None else percentile / 100.0
    try:
        check_percentile(share)
    except InputError as error:
        problems.extend(error.problems)
    for name, value, rule in (
        ("target-latency-ms", target_latency_ms, "a number above 0"),
        ("target-qps", target_qps, f"a number above 0 and at most {LONGEST_QPS:,.0f}"),
        ("min-duration-s", min_duration_s + 1e-9, "a number of at least 0"),
        ("max-duration-s", max_duration_s, "a number above 0"),
        ("min-queries", min_queries, f"between 1 and {MOST_QUERIES:,}"),
        ("samples-per-query", samples_per_query, "at least 1"),
        ("seed", seed + 1, "at least 0"),
    ):
        highest = {"target-qps": LONGEST_QPS, "min-queries": MOST_QUERIES}.get(name, math.inf)
        if value is not None and not (math.isfinite(value) and 0 < value <= highest):
            shown = {"seed": seed, "min-duration-s": min_duration_s}.get(name, value)
            problems.append(_out_of_range(name, shown, rule))
    problems += _belonging(kind, target_qps, samples_per_query, min_duration_s)
    if kind is Scenario.OFFLINE and target_latency_ms is not None:
        problems.append(_misplaced("target-latency-ms has no meaning in the offline scenario"))
    if problems:
        raise InputError(*problems)
    samples = 1
    if kind is Scenario.MULTI_STREAM:
        samples = SAMPLES_PER_QUERY if samples_per_query is None else samples_per_query
    return Load(
        scenario=kind,
        percentile=share,
        target_latency_ms=target_latency_ms,
        target_qps=target_qps,
        min_duration_s=min_duration_s,
        min_queries=100 if min_queries is None else min_queries,
        max_duration_s=max(max_duration_s, min_duration_s),
        samples_per_query=samples,
        seed=seed,
    )


def _out_of_range(name: str, value: float, rule: str) -> Problem:
    return Problem(
        code="T-V162",
        message=f"{name} is {value:g}; it is {rule}.",
        remedy="Give another number.",
    )


def _belonging(
    scenario: Scenario,
    target_qps: float | None,
    samples_per_query: int | None,
    min_duration_s: float,
) -> list[Problem]:
    found: list[str] = []
    if scenario is Scenario.SERVER:
        if target_qps is None:
            found.append("the server scenario needs target-qps")
        elif math.isfinite(target_qps) and target_qps * min_duration_s > MOST_QUERIES:
            found.append(
                f"target-qps {target_qps:g} for {min_duration_s:g} s makes more than "
                f"{MOST_QUERIES:,} queries"
            )
    elif target_qps is not None:
        found.append(f"target-qps belongs to the server scenario, not to {scenario}")
    if samples_per_query not in (None, 1) and scenario is not Scenario.MULTI_STREAM:
        found.append(f"samples-per-query belongs to multi-stream, not to {scenario}")
    return [_misplaced(what) for what in found]


def _misplaced(what: str) -> Problem:
    return Problem(
        code="T-V163", message=f"{what}.", remedy="Change the scenario or the option."
    )
