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
    # Evenly spaced in nines, so that the tail, which is what is promised, fills the picture.
    shares = 1.0 - np.power(10.0, -np.linspace(0.0, np.log10(2 * n), POINTS))
    ranks = np.unique(np.minimum((shares * n).astype(int), n - 1))
    nines = tuple(round(_nines((float(rank) + 0.5) / n), 4) for rank in ranks)
    latency = tuple(
        round(float(value), 6) if np.isfinite(value) else None for value in ordered[ranks]
    )
    series = [Series(label="latency", x=nines, y=latency)]
    load = trace.load
    if load.target_latency_ms is not None:
        place = round(_nines(load.percentile), 4)
        series.append(
            Series(
                label=f"bound at p{load.percentile * 100:g}",
                x=(0.0, place, place),
                y=(load.target_latency_ms, load.target_latency_ms, 0.0),
                style="reference",
            )
        )
    return LineFigure(
        name="latency",
        title=f"Latency, {load.scenario}",
        caption="Latency counts from when a query was due. Each step to the right leaves a "
        "tenth of the queries: at 2, one in a hundred is slower. Unanswered queries leave a "
        "gap at the right end.",
        x_label="nines (at 1, 90 % are faster; at 2, 99 %)",
        y_label="latency, ms",
        series=tuple(series),
    )


def _nines(share: float) -> float:
    return float(-np.log10(1.0 - share))


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
