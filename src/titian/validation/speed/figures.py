"""Pictures of a run: how latency is spread, what a batch gains, where the work lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from titian.validation.speed.layers import Work
from titian.validation.speed.measurement import Speed
from titian.validation.speed.scenario import Scenario
from titian.validation.speed.sweep import Setting
from titian.values import LineFigure, TableFigure
from titian.values.figure import Series

POINTS = 150
LARGEST_LAYERS = 12


def latency_figure(speed: Speed) -> LineFigure | None:
    """Draw the latency at every percentile; None offline, where it has no meaning."""
    trace = speed.trace
    if trace.load.scenario is Scenario.OFFLINE or not len(trace):
        return None
    ordered = np.sort(trace.latency_ns) / 1e6
    n = len(ordered)
    # Half of the points lie in the last tenth: that is where a tail shows.
    shares = np.concatenate(
        [np.linspace(0, 0.9, POINTS // 2, endpoint=False), np.linspace(0.9, 1, POINTS // 2)]
    )
    ranks = np.unique(np.minimum((shares * n).astype(int), n - 1))
    percent = tuple(round(float(rank) / max(n - 1, 1) * 100, 4) for rank in ranks)
    latency = tuple(
        round(float(value), 6) if np.isfinite(value) else None for value in ordered[ranks]
    )
    series = [Series(label="latency", x=percent, y=latency)]
    load = trace.load
    if load.target_latency_ms is not None:
        share = load.percentile * 100
        series.append(
            Series(
                label=f"bound at p{share:g}",
                x=(0.0, share, share),
                y=(load.target_latency_ms, load.target_latency_ms, 0.0),
                style="reference",
            )
        )
    return LineFigure(
        name="latency",
        title=f"Latency, {load.scenario}",
        caption="Queries in order of their latency, which counts from when each was due; the "
        "right end is the tail. Unanswered queries leave a gap there.",
        x_label="queries, % (fastest first)",
        y_label="latency, ms",
        series=tuple(series),
        x_range=(0.0, 100.0),
    )


def sweep_figure(settings: Sequence[Setting]) -> LineFigure:
    """Draw samples a second against the batch, one line for each number of threads.

    A model of a fixed batch gets one line, against the threads.
    """
    batches = dict.fromkeys(setting.batch for setting in settings)
    by_batch = len(batches) > 1
    lines = dict.fromkeys(s.threads if by_batch else s.batch for s in settings)
    series = []
    for line in lines:
        mine = [s for s in settings if line == (s.threads if by_batch else s.batch)]
        ends = [s.throughput.intervals[0] if s.throughput.intervals else None for s in mine]
        of_one = "thread" if by_batch else "sample a call"
        of_many = "threads" if by_batch else "samples a call"
        series.append(
            Series(
                label=f"{line} {of_one if line == 1 else of_many}",
                x=tuple(float(s.batch if by_batch else s.threads) for s in mine),
                y=tuple(s.throughput.value for s in mine),
                low=tuple(None if end is None else end.low for end in ends),
                high=tuple(None if end is None else end.high for end in ends),
                style="line" if len(mine) > 1 else "dots",
            )
        )
    return LineFigure(
        name="sweep",
        title="Throughput by batch and threads",
        caption="Where a line flattens, more samples a call or more threads gain nothing. "
        "Bands are 95 % intervals.",
        x_label="samples a call" if by_batch else "threads",
        y_label="samples a second",
        series=tuple(series),
    )


def layers_figure(work: Work) -> TableFigure:
    """List the layers with the most operations."""
    largest = sorted(work.layers, key=lambda layer: -(layer.operations or 0))[:LARGEST_LAYERS]
    lacking = ", ".join(f"{name} ({n})" for name, n, _ in work.unknown)
    return TableFigure(
        name="layers",
        title="Where the operations lie",
        caption=f"The {len(largest)} largest of {len(work.layers)} layers, for one call."
        + (f" Not counted: {lacking}." if lacking else ""),
        columns=("layer", "operator", "output", "operations", "parameters"),
        rows=tuple(
            (
                layer.name,
                layer.operator,
                "x".join(map(str, layer.output)) if layer.output is not None else None,
                layer.operations,
                layer.parameters,
            )
            for layer in largest
        ),
    )
