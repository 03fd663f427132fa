"""One run of a system under a load, with everything that a reader needs to judge it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.statistics import Estimate
from titian.validation.speed.early_stopping import (
    BoundCheck,
    LatencyEstimate,
    check_bound,
    estimate_latency,
)
from titian.validation.speed.generator import Progress, generate
from titian.validation.speed.latency import ALPHA, SHOWN, latency_percentile, throughput
from titian.validation.speed.layers import Work, count_work, observe_shapes
from titian.validation.speed.machine import Machine, cores, look_at_machine
from titian.validation.speed.overhead import Overhead, measure_overhead
from titian.validation.speed.resources import Resources, elsewhere, read_meter, start_meter
from titian.validation.speed.scenario import Load, Scenario
from titian.validation.speed.target import OnnxTarget, Target
from titian.validation.speed.trace import Trace

OFFLINE_BATCH = 8
"""Samples a call in the offline scenario, where the system takes any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the stated latency bound holds at its percentile.

    Attributes:
        status: ``met``, ``not met`` or ``not shown``.
        detail: one sentence on why.
    """

    status: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What a run came to.

    Attributes:
        name: of the system.
        kind: of the system.
        threads: within an operator; None where that is not ours to say.
        workers: threads that asked the system at the same time.
        batch: samples a call in the offline scenario.
        shapes: (input, shape) of one sample, where known.
        finite: whether the answers to the warm-up were finite; None where not looked at.
        notes: what a person should know.
        trace: every instant.
        latency: (percentile, latency in ms), those of LoadGen's list and the load's own.
        mean_ms: over answered queries; None when there is none.
        throughput: samples a second.
        early_stopping: the latency that LoadGen would report; None offline.
        bound: the check of the stated bound; None when none was stated.
        verdict: on that bound; None when none was stated.
        overhead: the generator's own.
        resources: what was used.
        work: operations and parameters; None for what is no ONNX model.
        before: the machine before the run.
        after: the machine after it.
    """

    name: str
    kind: str
    threads: int | None
    workers: int
    batch: int | None
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    finite: bool | None
    notes: tuple[str, ...]
    trace: Trace
    latency: tuple[tuple[float, Estimate], ...]
    mean_ms: float | None
    throughput: Estimate
    early_stopping: LatencyEstimate | None
    bound: BoundCheck | None
    verdict: Verdict | None
    overhead: Overhead
    resources: Resources
    work: Work | None
    before: Machine
    after: Machine


def measure_speed(
    target: Target,
    load: Load,
    *,
    workers: int | None = None,
    batch: int | None = None,
    alpha: float = ALPHA,
    progress: Progress | None = None,
) -> Speed:
    """Put a load on a system.

    Args:
        target: warmed up.
        load: what to ask for.
        workers: threads that ask at the same time in the server and offline scenarios; None
            takes one for each processor.
        batch: samples a call in the offline scenario; None takes 8 where the system takes
            any number, and its own otherwise.
        alpha: one minus the coverage of the intervals.
        progress: hears how much of the run is over.
    """
    before = look_at_machine()
    several = load.scenario in (Scenario.SERVER, Scenario.OFFLINE)
    asking = (cores() if workers is None else workers) if several else 1
    each = target.batch or batch or OFFLINE_BATCH
    meter = start_meter(target.before_mib)
    trace = generate(target.answer, load, workers=asking, batch=each, progress=progress)
    samples = int(trace.samples[trace.answered].sum())
    used = (
        elsewhere() if target.remote else read_meter(meter, cpu_s=trace.cpu_s, samples=samples)
    )
    after = look_at_machine()
    latency = trace.latency_ns
    answered = latency[trace.answered]
    offline = load.scenario is Scenario.OFFLINE
    bound = None
    if load.target_latency_ms is not None:
        bound = check_bound(latency, load.percentile, bound_ns=load.target_latency_ms * 1e6)
    onnx = target if isinstance(target, OnnxTarget) else None
    return Speed(
        name=target.name,
        kind=target.kind,
        threads=onnx.threads if onnx else None,
        workers=asking,
        batch=each if offline else None,
        shapes=onnx.shapes if onnx else (),
        finite=getattr(target, "finite", None),
        notes=target.notes,
        trace=trace,
        latency=()
        if offline
        else tuple(
            (share, latency_percentile(latency, share, alpha=alpha))
            for share in sorted({*SHOWN, load.percentile})
        ),
        mean_ms=float(answered.mean()) / 1e6 if len(answered) and not offline else None,
        throughput=throughput(trace, rng=np.random.default_rng([load.seed, 1]), alpha=alpha),
        early_stopping=None if offline else estimate_latency(latency, load.percentile),
        bound=bound,
        verdict=None if bound is None else judge(trace, bound),
        overhead=measure_overhead(trace, workers=asking),
        resources=used,
        work=work_of(onnx) if onnx else None,
        before=before,
        after=after,
    )


def judge(trace: Trace, bound: BoundCheck) -> Verdict:
    """Hold a run against the bound: the early-stopping check, on a run that was whole."""
    share = f"p{bound.percentile * 100:g} <= {bound.bound_ns / 1e6:g} ms"
    counted = f"{bound.over:,} of {bound.queries:,} queries took longer"
    if bound.failed:
        return Verdict(status="not met", detail=f"{share} does not hold: {counted}")
    lacking = [
        text
        for held, text in (
            (not trace.cut, trace.cut),
            (trace.min_duration_met, "the smallest duration was not reached"),
            (trace.min_queries_met, "the smallest number of queries was not reached"),
        )
        if not held
    ]
    if lacking:
        return Verdict(status="not shown", detail=f"{share}: {'; '.join(lacking)}")
    if bound.passed:
        return Verdict(status="met", detail=f"{share} holds at 99 % confidence: {counted}")
    return Verdict(
        status="not shown",
        detail=f"{share}: {counted}; {bound.lacking:,} more queries, all within the bound, "
        "would show it",
    )


def work_of(target: OnnxTarget) -> Work:
    """Count the operations and parameters of an opened model."""
    shapes, size = dict(target.shapes), len(target.content)
    work = count_work(target.model, shapes, size_bytes=size)
    if any("shape" in why for _, _, why in work.unknown):
        seen = observe_shapes(target.model, target.feed(1))
        work = count_work(target.model, shapes, size_bytes=size, seen=seen)
    return work
