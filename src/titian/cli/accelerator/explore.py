"""`titian accelerator explore`: which designs does no other beat for this model?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from titian.cli.output import reserved_output, write_json, write_line

if TYPE_CHECKING:
    from titian.accelerator.exploration.search import Choice, Exploration
    from titian.accelerator.workload.layers import Workload

SHOWN: Final = 12
"""Designs that a person sees; JSON holds the whole front."""


def explore(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="ONNX model, or topology table (.csv).")
    ],
    max_area: Annotated[
        float | None, typer.Option(metavar="MM2", help="Most area of all dies.")
    ] = None,
    max_power: Annotated[
        float | None, typer.Option(metavar="W", help="Most average power.")
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(metavar="L", help="Longest call.")
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="NM", help="Node to explore; may be repeated."),
    ] = None,
    integration: Annotated[
        str, typer.Option(metavar="KIND", help="How chiplets are joined.")
    ] = "mcm",
    depthwise_lanes: Annotated[
        int, typer.Option(metavar="N", min=0, help="Channels of a depthwise engine per die.")
    ] = 0,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=D,D,...", help="Shape of an input with free axes."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where pictures go, as SVG files.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the exact Pareto front of latency, energy and price over a grid of designs.

    The grid spans rows, columns, dataflow, on-chip memory and its split, bandwidth, clock,
    node and chiplets: some 15 million designs, each costed in closed form. Prices are
    published ones of 2020.

    \b
    Examples:
      titian accelerator explore model.onnx --max-area 50 --max-power 2
      titian accelerator explore model.onnx --node 28nm --max-latency-ms 5 --figures pictures
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.accelerator.exploration.search import Limits, check_limits
    from titian.accelerator.exploration.search import explore as search
    from titian.accelerator.exploration.space import NODES, make_space
    from titian.cli.accelerator.estimate import read_work
    from titian.cli.progress import open_reporter

    limits = Limits(area_mm2=max_area, power_w=max_power, latency_ms=max_latency_ms)
    check_limits(limits)
    space = make_space(
        nodes=tuple(node) if node else NODES,
        integration=integration,
        depthwise_lanes=depthwise_lanes,
    )
    work = read_work(model, shape or [])
    with ExitStack() as stack:
        stack.enter_context(reserved_output(wanted=json))
        reporter = stack.enter_context(open_reporter(plain=False))
        reporter.stage_started("explore", 0, 0)
        found = search(
            work,
            space,
            limits,
            workers=workers,
            progress=lambda done, whole: reporter.step(
                "explore", "blocks of designs", done, whole
            ),
        )
    drawn = [] if figures is None else _draw(found, work, figures)
    if json:
        write_json(exploration_document(found) | {"figures": drawn})
    else:
        for line in _lines(found, work, drawn):
            write_line(line)


def exploration_document(found: Exploration) -> dict[str, Any]:
    """Return the front as one JSON document."""
    return {
        "points": found.points,
        "costed": found.costed,
        "ruled_out_by_bounds": found.points - found.costed,
        "feasible": found.feasible,
        "objectives": ["latency_ms", "energy_mj", "price_usd"],
        "limits": {
            "area_mm2": found.limits.area_mm2,
            "power_w": found.limits.power_w,
            "latency_ms": found.limits.latency_ms,
        },
        "front": [_choice(choice) for choice in found.front],
        "picks": {name: _choice(choice) for name, choice in picks(found).items()},
    }


def picks(found: Exploration) -> dict[str, Choice]:
    """Return the designs of the front that people ask for first."""
    front = found.front
    return {
        "fastest": min(front, key=lambda c: c.latency_ms),
        "least energy": min(front, key=lambda c: c.energy_mj),
        "cheapest": min(front, key=lambda c: c.price_usd),
        "least energy x latency": min(front, key=lambda c: c.energy_mj * c.latency_ms),
        "least price x latency": min(front, key=lambda c: c.price_usd * c.latency_ms),
    }


def _choice(choice: Choice) -> dict[str, Any]:
    from titian.cli.accelerator.estimate import design_document

    return {
        **design_document(choice.design),
        "bandwidth_gbps": choice.bandwidth_gbps,
        "chiplets": choice.chiplets,
        "latency_ms": choice.latency_ms,
        "energy_mj": choice.energy_mj,
        "price_usd": choice.price_usd,
        "area_mm2": choice.area_mm2,
        "power_w": choice.power_w,
    }


def _draw(found: Exploration, work: Workload, folder: Path) -> list[str]:
    from titian.accelerator.estimate import estimate
    from titian.accelerator.figures import (
        chiplet_figure,
        front_figure,
        roofline_figure,
        utilization_figure,
    )
    from titian.accelerator.packaging.quotation import quote
    from titian.cli.accelerator.pictures import write_figures

    best = picks(found)["least energy x latency"]
    one = estimate(work, best.design)
    return write_figures(
        (
            front_figure(found),
            roofline_figure(one),
            utilization_figure(one),
            chiplet_figure(quote(best.design.node, best.area_mm2 / best.chiplets)),
        ),
        folder,
    )


def _lines(found: Exploration, work: Workload, drawn: list[str]) -> list[str]:
    lines = [
        f"{work.name}: {found.points:,} designs, {found.feasible:,} within the limits, "
        f"{len(found.front):,} that no other beats",
        f"  {'':<24}{'ms':>10}{'mJ':>10}{'USD':>9}{'mm2':>8}{'W':>8}  design",
    ]
    lines += [f"  {name:<24}{_row(choice)}" for name, choice in picks(found).items()]
    step = max(1, len(found.front) // SHOWN)
    lines.append("Along the front, by latency:")
    lines += [f"  {'':<24}{_row(choice)}" for choice in found.front[::step][:SHOWN]]
    lines += [
        "Prices are published ones of 2020; one call at a time; --json has the front.",
        "Only output-stationary arrays exist as circuits: other dataflows state a plan.",
    ]
    return lines + [f"wrote {path}" for path in drawn]


def _row(choice: Choice) -> str:
    design = choice.design
    dies = "" if choice.chiplets == 1 else f"{choice.chiplets} x "
    return (
        f"{choice.latency_ms:>10.4g}{choice.energy_mj:>10.4g}{choice.price_usd:>9.4g}"
        f"{choice.area_mm2:>8.3g}{choice.power_w:>8.3g}  {dies}{design.rows} x {design.cols} "
        f"{design.dataflow}, {design.node}, {design.clock_mhz:g} MHz, {design.sram_kib:g} KiB, "
        f"{choice.bandwidth_gbps:g} GB/s"
    )
