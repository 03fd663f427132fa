"""How throughput and latency move with the batch and the number of threads.

The settings take turns in several rounds, so that a slow minute of the machine does not fall
on one of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter_ns

import numpy as np

from titian.statistics import Estimate
from titian.statistics.estimate import intervals_of
from titian.validation.speed.generator import Progress
from titian.validation.speed.latency import ALPHA, block_bootstrap, latency_percentile
from titian.validation.speed.machine import cores
from titian.validation.speed.target import OnnxTarget, open_session

BATCHES = (1, 2, 4, 8, 16, 32)
ROUNDS = 3
TURN_S = 0.2
LONGEST_CALL_S = 2.0
"""A setting whose call takes longer is left out, and so are larger batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One point of the sweep.

    Attributes:
        batch: samples a call.
        threads: threads inside an operator.
        throughput: samples a second; unknown, with the reason, where it was left out.
        latency_ms: median of a call.
    """

    batch: int
    threads: int
    throughput: Estimate
    latency_ms: Estimate


def sweep(
    target: OnnxTarget,
    *,
    rng: np.random.Generator,
    batches: Sequence[int] = BATCHES,
    threads: Sequence[int] = (),
    turn_s: float = TURN_S,
    progress: Progress | None = None,
) -> tuple[Setting, ...]:
    """Time every combination of batch and threads.

    Args:
        target: warmed up.
        rng: draws the bootstrap's blocks.
        batches: samples a call; a model of a fixed batch is timed at that one alone.
        threads: empty takes 1, 2, 4, ... up to the number of processors.
        turn_s: how long each setting runs in each of the rounds.
        progress: hears how much is over.
    """
    sizes = list(batches) if target.batch is None else [target.batch]
    counts = list(threads) or _powers(cores())
    opened = {
        n: replace(
            target, threads=n, session=open_session(target.content, name=target.name, threads=n)
        )
        for n in counts
    }
    took: dict[tuple[int, int], list[int]] = {(b, n): [] for n in counts for b in sizes}
    left_out: set[tuple[int, int]] = set()
    for turn in range(ROUNDS):
        for place, (batch, n) in enumerate(took):
            if (batch, n) not in left_out:
                held = _turn(opened[n], batch, turn_s)
                took[batch, n] += held
                if max(held) > LONGEST_CALL_S * 1e9:
                    left_out |= {(b, n) for b in sizes if b > batch and not took[b, n]}
            if progress:
                progress((turn * len(took) + place + 1) / (ROUNDS * len(took)))
    return tuple(_setting(batch, n, held, rng) for (batch, n), held in took.items())


def _turn(target: OnnxTarget, batch: int, turn_s: float) -> list[int]:
    target.answer(0, batch)  # the first call of a new shape allocates
    times: list[int] = []
    end = perf_counter_ns() + int(turn_s * 1e9)
    while not times or perf_counter_ns() < end:
        begin = perf_counter_ns()
        target.answer(0, batch)
        times.append(perf_counter_ns() - begin)
    return times


def _setting(batch: int, threads: int, took: list[int], rng: np.random.Generator) -> Setting:
    if not took:
        why = Estimate(
            value=None, n=0, reason=f"a call would take more than {LONGEST_CALL_S:g} s"
        )
        return Setting(batch=batch, threads=threads, throughput=why, latency_ms=why)
    times = np.asarray(took, dtype=np.float64)
    samples = np.full(len(times), float(batch))
    value = float(samples.sum() / times.sum() * 1e9)
    drawn = block_bootstrap(samples, times, rng=rng)
    rate = Estimate(value=value, n=len(times), reason="too few calls for an interval")
    if drawn is not None:
        low, high = np.quantile(drawn * 1e9, [ALPHA / 2, 1 - ALPHA / 2])
        rate = Estimate(
            value=value,
            n=len(times),
            intervals=intervals_of((ALPHA,), np.array([low]), np.array([high])),
            method="moving-block bootstrap",
        )
    return Setting(
        batch=batch,
        threads=threads,
        throughput=rate,
        latency_ms=latency_percentile(times, 0.5),
    )


def _powers(most: int) -> list[int]:
    counts = [1]
    while counts[-1] * 2 <= most:
        counts.append(counts[-1] * 2)
    if counts[-1] != most:
        counts.append(most)
    return counts
