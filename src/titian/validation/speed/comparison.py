"""Two systems beside each other in one run: a ratio, which a busy machine moves little.

Both answer one query in turn, in random order within each pair, so that whatever slows the
machine slows both. The ratio is the median over pairs of the first's time over the second's;
its interval is made of order statistics, as for any median.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from titian.statistics import Estimate
from titian.statistics.estimate import Floats, intervals_of, unknown
from titian.validation.speed.clock import undisturbed
from titian.validation.speed.generator import (
    FAILURES_IN_A_ROW,
    PROGRESS_NS,
    Progress,
    reason_of,
)
from titian.validation.speed.latency import (
    ALPHA,
    inflation,
    latency_percentile,
    quantile_ranks,
)
from titian.validation.speed.scenario import Load
from titian.validation.speed.target import OnnxTarget, Target
from titian.validation.speed.trace import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The first system against the second.

    Attributes:
        first: its name.
        second: its name.
        pairs: pairs of queries.
        ratio: median over pairs of first / second; above 1 the first is slower.
        first_ms: its median latency.
        second_ms: the other's.
        size_ratio: of the files; None for what is no ONNX model.
        difference: largest absolute difference between answers to the same input; None
            where they cannot be compared.
        max_ratio: the stated limit; None when none was stated.
        status: ``met``, ``not met`` or ``not shown`` against the limit; empty without one.
        failures: pairs that lack an answer, by reason; they count in no other number.
    """

    first: str
    second: str
    pairs: int
    ratio: Estimate
    first_ms: Estimate
    second_ms: Estimate
    size_ratio: float | None
    difference: float | None
    max_ratio: float | None = None
    status: str = ""
    failures: tuple[Failure, ...] = ()


def compare(
    first: Target,
    second: Target,
    load: Load,
    *,
    max_ratio: float | None = None,
    alpha: float = ALPHA,
    progress: Progress | None = None,
) -> Comparison:
    """Let two systems answer in turn until the smallest duration and count are reached.

    Args:
        first: warmed up.
        second: warmed up.
        load: its durations, counts, samples a query and seed are used; the scenario is
            single-stream, whatever it says.
        max_ratio: the gate: how much slower the first may be.
        alpha: one minus the coverage.
        progress: hears how much of the run is over.
    """
    rng = np.random.default_rng([load.seed, 2])
    times, failures = _take_turns(first, second, load, rng=rng, progress=progress)
    ratio = median_of(times[:, 0] / times[:, 1], alpha=alpha)
    return Comparison(
        first=first.name,
        second=second.name,
        pairs=len(times),
        ratio=ratio,
        first_ms=latency_percentile(times[:, 0], 0.5, alpha=alpha),
        second_ms=latency_percentile(times[:, 1], 0.5, alpha=alpha),
        size_ratio=_size_ratio(first, second),
        difference=_difference(first, second),
        max_ratio=max_ratio,
        status="" if max_ratio is None else hold(ratio, max_ratio),
        failures=failures,
    )


def hold(ratio: Estimate, max_ratio: float) -> str:
    """Hold a ratio's interval against the limit: ``met``, ``not met`` or ``not shown``."""
    if not ratio.intervals:
        return "not shown"
    interval = ratio.intervals[0]
    if interval.high <= max_ratio:
        return "met"
    return "not met" if interval.low > max_ratio else "not shown"


def median_of(ratios: Floats, *, alpha: float) -> Estimate:
    """Return the median of ratios in the order of the run, with its interval."""
    n = len(ratios)
    if not n:
        return unknown(0, "no pair of queries was answered")
    ordered = np.sort(ratios)
    value = float(np.median(ordered))
    ranks = quantile_ranks(n, 0.5, alpha=alpha, inflation=inflation(ratios, value))
    if ranks is None:
        return Estimate(value=value, n=n, reason=f"{n} pairs are too few for an interval")
    low, high = ordered[[ranks[0]]], ordered[[ranks[1]]]
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of((alpha,), low, high),
        method="order statistics, batch means",
    )


def _take_turns(
    first: Target,
    second: Target,
    load: Load,
    *,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[Floats, tuple[Failure, ...]]:
    samples = load.samples_per_query
    answer = (first.answer, second.answer)
    times: list[tuple[int, int]] = []
    failed: Counter[str] = Counter()
    turn = in_a_row = 0
    length, longest = load.min_duration_s * 1e9, load.max_duration_s * 1e9
    with undisturbed():
        start = heard = perf_counter_ns()
        while True:
            now = perf_counter_ns()
            done = now - start >= length and len(times) >= load.min_queries
            if (turn and (done or now - start > longest)) or in_a_row == FAILURES_IN_A_ROW:
                break
            if progress and now - heard > PROGRESS_NS:
                heard = now
                progress(min((now - start) / max(length, 1), len(times) / load.min_queries, 1))
            took = [0, 0]
            turn += 1
            try:
                for which in (0, 1) if rng.random() < 0.5 else (1, 0):
                    begin = perf_counter_ns()
                    answer[which](turn - 1, samples)
                    took[which] = max(perf_counter_ns() - begin, 1)
            except Exception as error:  # noqa: BLE001 - the other pairs are kept
                failed[reason_of(error)] += 1
                in_a_row += 1
            else:
                times.append((took[0], took[1]))
                in_a_row = 0
    failures = tuple(Failure(reason=why, count=n) for why, n in failed.most_common())
    return np.asarray(times, dtype=np.float64).reshape(-1, 2), failures


def _size_ratio(first: Target, second: Target) -> float | None:
    if isinstance(first, OnnxTarget) and isinstance(second, OnnxTarget):
        return len(first.content) / len(second.content)
    return None


def _difference(first: Target, second: Target) -> float | None:
    if not (isinstance(first, OnnxTarget) and isinstance(second, OnnxTarget)):
        return None
    if dict(first.shapes) != dict(second.shapes) or len(first.outputs) != len(second.outputs):
        return None
    found = 0.0
    for ours, theirs in zip(first.outputs.values(), second.outputs.values(), strict=True):
        numeric = ours.dtype.kind in "fiu" and theirs.dtype.kind in "fiu"
        if not numeric or ours.shape != theirs.shape:
            return None
        gap = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        found = max(found, float(gap.max(initial=0.0)))
    return found if math.isfinite(found) else None
