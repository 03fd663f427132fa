"""Pictures of a design: roofline, Pareto front, utilisation, cost against chiplets."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from titian.accelerator.estimate import Estimate
from titian.accelerator.exploration.search import Exploration
from titian.accelerator.packaging.quotation import Quotation, quote
from titian.errors import InputError
from titian.values import BarFigure, LineFigure
from titian.values.figure import Series

SHOWN_LAYERS: Final = 30
POINTS: Final = 200
CHIPLETS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)


def roofline_figure(found: Estimate) -> LineFigure:
    """Draw each layer's operations a second against its operations a byte of traffic.

    Both axes are logarithms to base 10. Without a bandwidth there is no slope.
    """
    design = found.design
    peak = 2.0 * design.units * design.clock_mhz / 1e3
    dots = [
        (
            math.log10(2 * layer.macs / (layer.dram_read_bytes + layer.dram_write_bytes)),
            math.log10(
                2 * layer.macs / (layer.cycles + layer.stall_cycles) * design.clock_mhz / 1e3
            ),
        )
        for layer in found.layers
        if layer.macs and layer.cycles and layer.dram_read_bytes + layer.dram_write_bytes
    ][:POINTS]
    low = min([x for x, _ in dots], default=-1.0) - 0.3
    high = max([x for x, _ in dots], default=3.0) + 0.3
    roof = [Series(label="peak of the array", x=(low, high), y=(math.log10(peak),) * 2)]
    bandwidth = design.bandwidth_gbps
    if bandwidth is not None:
        knee = math.log10(peak / bandwidth)
        left, right = min(low, knee - 1), max(high, knee + 0.3)
        slope = math.log10(bandwidth)
        roof = [
            Series(
                label="roof: memory, then array",
                x=(left, knee, right),
                y=(left + slope, math.log10(peak), math.log10(peak)),
            )
        ]
    return LineFigure(
        name="roofline",
        title="Roofline",
        caption="Layers under the slope wait for memory; layers under the flat part wait for "
        "the array. A dot far below its roof fills the array badly.",
        x_label="operations per byte of external traffic, log10",
        y_label="10^9 operations/s, log10",
        series=(
            *roof,
            Series(
                label="layers",
                x=tuple(round(x, 4) for x, _ in dots),
                y=tuple(round(y, 4) for _, y in dots),
                style="dots",
            ),
        ),
    )


def utilization_figure(found: Estimate) -> BarFigure:
    """Draw how much of the array each layer keeps busy; the longest layers where many."""
    layers = [layer for layer in found.layers if layer.macs]
    longest = sorted(layers, key=lambda layer: -layer.cycles)[:SHOWN_LAYERS]
    shown = [layer for layer in layers if layer in longest][:SHOWN_LAYERS]
    return BarFigure(
        name="utilization",
        title="Utilisation per layer",
        caption="Multiply-accumulates over what the array could do in the layer's cycles, "
        f"without stalls; the {len(shown)} longest of {len(layers)} layers in their order.",
        y_label="share of the array",
        categories=tuple(layer.name for layer in shown),
        series=("utilisation",),
        values=(tuple(round(layer.utilization, 4) for layer in shown),),
    )


def front_figure(found: Exploration) -> LineFigure:
    """Draw the front by latency and price, one row of dots a node; both as log10."""
    series = []
    for node in found.space.nodes:
        mine = [choice for choice in found.front if choice.design.node == node]
        places = np.unique(np.linspace(0, len(mine) - 1, min(len(mine), POINTS)).astype(int))
        if mine:
            series.append(
                Series(
                    label=node,
                    x=tuple(round(math.log10(mine[i].latency_ms), 4) for i in places),
                    y=tuple(round(math.log10(mine[i].price_usd), 4) for i in places),
                    style="dots",
                )
            )
    return LineFigure(
        name="pareto_front",
        title="Pareto front",
        caption=f"{len(found.front):,} designs of {found.points:,} that no other beats in "
        "latency, energy and price; energy is the axis that is not drawn.",
        x_label="latency of one call in ms, log10",
        y_label="packaged price in USD, log10",
        series=tuple(series),
    )


def chiplet_figure(found: Quotation) -> LineFigure:
    """Draw the packaged cost of the same logic against the number of chiplets.

    Numbers of chiplets whose dies exceed the reticle leave a gap.
    """
    series = []
    for kind in ("mcm", "fanout", "interposer"):
        costs: list[float | None] = []
        for count in CHIPLETS:
            try:
                priced = quote(
                    found.node,
                    found.area_mm2,
                    chiplets=count,
                    integration=kind,
                    wafer_usd=found.wafer_usd.value,
                    defects_per_cm2=found.defects_per_cm2.value,
                )
                costs.append(round(float(priced.assembly.packaged_usd), 2))
            except InputError:
                costs.append(None)
        series.append(Series(label=kind, x=tuple(map(float, CHIPLETS)), y=tuple(costs)))
    return LineFigure(
        name="cost_by_chiplets",
        title="Cost against chiplets",
        caption=f"{found.area_mm2:g} mm2 of logic at {found.node}. More chiplets waste less "
        "silicon on defects and more on interfaces and bonds.",
        x_label="chiplets",
        y_label="packaged cost, USD",
        series=tuple(series),
    )
