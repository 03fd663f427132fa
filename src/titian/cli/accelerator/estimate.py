"""`titian accelerator estimate`: what one design costs on one model, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from titian.cli.output import write_json, write_line

if TYPE_CHECKING:
    from titian.accelerator.design import Design
    from titian.accelerator.estimate import Estimate, LayerCost
    from titian.accelerator.workload.layers import Workload
    from titian.values import Measurement

SHOWN_LAYERS: Final = 40
"""A person reads so many rows; JSON holds all."""


def estimate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="ONNX model, or topology table (.csv).")
    ],
    rows: Annotated[int, typer.Option(metavar="R", help="Rows of the array.")],
    cols: Annotated[int, typer.Option(metavar="C", help="Columns of the array.")],
    dataflow: Annotated[
        str, typer.Option(metavar="FLOW", help="What stays in the array: os, ws or is.")
    ],
    machine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose timing: titian (default for ONNX) or scalesim (for a table).",
        ),
    ] = None,
    node: Annotated[str, typer.Option(metavar="NODE", help="Technology.")] = "28nm",
    clock_mhz: Annotated[float, typer.Option(metavar="F", help="Clock.")] = 500.0,
    sram_kb: Annotated[float, typer.Option(metavar="KB", help="On-chip memory, KiB.")] = 512.0,
    bandwidth: Annotated[
        float | None,
        typer.Option(metavar="GBPS", help="External memory, GB/s; else no stalls are counted."),
    ] = None,
    depthwise_lanes: Annotated[
        int, typer.Option(metavar="N", help="Channels of a depthwise engine beside the array.")
    ] = 0,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=D,D,...", help="Shape of an input with free axes."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Estimate cycles, utilisation, traffic, energy and area of a design for a model.

    Cycles are stall-free; stalls stand apart. Tables are SCALE-Sim's (convolutions or matrix
    products); a depthwise row counts as one layer per channel.

    \b
    Examples:
      titian accelerator estimate model.onnx --rows 16 --cols 16 --dataflow ws
      titian accelerator estimate model.onnx --rows 8 --cols 8 --dataflow os \\
        --shape image=1,3,224,224 --node 7nm --clock-mhz 1000 --bandwidth 25.6
      titian accelerator estimate alexnet.csv --rows 32 --cols 32 --dataflow is
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.accelerator.design import check_design
    from titian.accelerator.estimate import estimate as cost

    table = model.suffix.lower() == ".csv"
    design = check_design(
        rows=rows,
        cols=cols,
        dataflow=dataflow,
        machine=machine or ("scalesim" if table else "titian"),
        node=node,
        clock_mhz=clock_mhz,
        sram_kib=sram_kb,
        bandwidth_gbps=bandwidth,
        depthwise_lanes=depthwise_lanes,
    )
    found = cost(read_work(model, shape or []), design)
    if json:
        write_json(estimate_document(found))
    else:
        for line in _lines(found):
            write_line(line)


def read_work(model: Path, stated: list[str]) -> Workload:
    """Read a model's work from ONNX or from a topology table."""
    if model.suffix.lower() == ".csv":
        from titian.accelerator.workload.topology import read_topology

        return read_topology(model)
    from titian.accelerator.workload.graph import read_workload
    from titian.cli.validate.speed import read_shapes

    return read_workload(model, read_shapes(stated))


def estimate_document(found: Estimate) -> dict[str, Any]:
    """Return the estimate as one JSON document."""
    from titian.accelerator.measurements import design_measurements

    work = found.workload
    return {
        "model": work.name,
        "design": design_document(found.design),
        "layers": [layer_document(layer) for layer in found.layers],
        "total": {
            "cycles": found.cycles,
            "stall_cycles": found.stall_cycles,
            "utilization": found.utilization,
            "macs": work.macs,
            "sram_read_bytes": sum(layer.sram_read_bytes for layer in found.layers),
            "sram_write_bytes": sum(layer.sram_write_bytes for layer in found.layers),
            "dram_read_bytes": sum(layer.dram_read_bytes for layer in found.layers),
            "dram_write_bytes": sum(layer.dram_write_bytes for layer in found.layers),
            "latency_ms": found.latency_ms,
            "energy_mj": found.energy_mj,
            "power_w": found.power_w,
            "area_mm2": found.area_mm2,
            "transistors": found.transistors,
            "dense_tops": found.dense_tops,
        },
        "not_accelerated": {
            "count": len(work.elsewhere),
            "accelerated_share": work.accelerated_share,
            "nodes": [
                {
                    "name": item.name,
                    "operator": item.operator,
                    "operations": item.operations,
                    "reason": item.reason,
                }
                for item in work.elsewhere
            ],
        },
        "measurements": [measurement_document(item) for item in design_measurements(found)],
        "notes": list(_notes(found)),
    }


def design_document(design: Design) -> dict[str, Any]:
    """Return a design as JSON."""
    return {
        "rows": design.rows,
        "cols": design.cols,
        "dataflow": design.dataflow,
        "machine": design.machine,
        "node": design.node,
        "clock_mhz": design.clock_mhz,
        "sram_kib": design.sram_kib,
        "sram_split": list(design.split),
        "bandwidth_gbps": design.bandwidth_gbps,
        "depthwise_lanes": design.depthwise_lanes,
        "bits": design.bits,
    }


def layer_document(layer: LayerCost) -> dict[str, Any]:
    """Return one layer's cost as JSON."""
    import dataclasses

    return dataclasses.asdict(layer)


def measurement_document(item: Measurement) -> dict[str, Any]:
    """Return a measurement as JSON."""
    return {
        "name": item.name,
        "value": item.value,
        "unit": item.unit,
        "reason": item.reason or None,
    }


def _notes(found: Estimate) -> list[str]:
    from titian.accelerator.timing import BUILT

    notes = list(found.workload.notes)
    design = found.design
    if design.machine == "titian" and (
        design.dataflow not in BUILT or design.depthwise_lanes or found.workload.vector
    ):
        notes.append(
            "Only output-stationary arrays exist as circuits: cycles of other dataflows, of "
            "lanes and of the depthwise engine state a plan."
        )
    if found.design.bandwidth_gbps is None:
        notes.append(
            "No bandwidth was stated: stalls and the memory interface are not counted."
        )
    if found.design.machine == "scalesim" and found.workload.vector:
        notes.append(
            f"{len(found.workload.vector)} pooling and elementwise nodes are not in this "
            "machine's model."
        )
    return notes


def _lines(found: Estimate) -> list[str]:
    design, work = found.design, found.workload
    lines = [
        f"{work.name} on {design.rows} x {design.cols} {design.dataflow} ({design.machine}), "
        f"{design.node}, {design.clock_mhz:g} MHz, {design.sram_kib:g} KiB",
        f"  {'layer':<28}{'cycles':>14}{'stalls':>12}{'use':>8}{'DRAM KiB':>12}{'uJ':>10}",
    ]
    shown = found.layers[:SHOWN_LAYERS]
    lines += [_row(layer) for layer in shown]
    if len(found.layers) > len(shown):
        lines.append(f"  ... and {len(found.layers) - len(shown):,} more (--json shows all)")
    share = work.accelerated_share
    lines += [
        f"  {'total':<28}{found.cycles:>14,}{found.stall_cycles:>12,}{found.utilization:>8.1%}",
        f"latency {found.latency_ms:.4g} ms, energy {found.energy_mj:.4g} mJ, "
        f"power {found.power_w:.4g} W",
        f"die {found.area_mm2:.4g} mm2, peak {found.dense_tops:.4g} TOPS",
        f"not accelerated: {len(work.elsewhere)} nodes"
        + ("" if share is None else f", {1 - share:.2%} of the operations"),
    ]
    lines += [
        f"  {item.operator} {item.name}: {item.reason}"
        for item in work.elsewhere[:SHOWN_LAYERS]
    ]
    return lines + _notes(found)


def _row(layer: LayerCost) -> str:
    moved = (layer.dram_read_bytes + layer.dram_write_bytes) / 1024
    use = f"{layer.utilization:.1%}" if layer.macs else layer.engine
    return (
        f"  {layer.name[:27]:<28}{layer.cycles:>14,}{layer.stall_cycles:>12,}{use:>8}"
        f"{moved:>12,.1f}{layer.energy_pj / 1e6:>10,.3g}"
    )
