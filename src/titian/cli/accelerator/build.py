"""`titian accelerator build`: a design for one network, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from titian.cli.output import write_error_line, write_json, write_line


def build(
    model: Annotated[
        Path,
        typer.Argument(metavar="M.int8.onnx", help="From titian accelerator quantize."),
    ],
    rows: Annotated[int, typer.Option(metavar="R", help="Output pixels at work at a time.")],
    cols: Annotated[int, typer.Option(metavar="C", help="Filters at work at a time.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the design.")],
    template: Annotated[
        str, typer.Option(metavar="NAME", help="os: the output-stationary array.")
    ] = "os",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build an accelerator for a quantised network.

    DIR gets the circuit (RTLIL and flattened Verilog), memory images, the source of a C++
    simulator, a Python driver, and a report with predicted cycles and the requantiser's
    certificate of every channel. All layers run from descriptors, without the host between.

    \b
    Examples:
      titian accelerator build model.int8.onnx --rows 8 --cols 8 --out design
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.accelerator.quantization.files import open_model
    from titian.accelerator.quantization.reading import read_network
    from titian.accelerator.rtl.build import build as run

    content, parsed = open_model(model, integer=True)
    network = read_network(parsed, name=model.name)
    built = run(
        content,
        network,
        out,
        rows=rows,
        cols=cols,
        template=template,
        say=lambda text: write_error_line(f"{text} ..."),
    )
    document: dict[str, Any] = {"model": str(model), "out": str(out), **built.report}
    if json:
        write_json(document)
        return
    write_line(
        f"Built {out}: {rows} x {cols} {template}, {document['cycles']} cycles an input."
    )
    for layer in document["layers"]:
        write_line(
            f"  {layer['name']}: {layer['cycles']} cycles, {layer['utilization']:.0%} of the "
            "multipliers at work"
        )
    bytes_of = document["memories_bytes"]
    write_line(
        "On-chip memory: " + ", ".join(f"{name} {size} B" for name, size in bytes_of.items())
    )
    exact = sum(row["exact_unit"] for row in document["certificates"])
    channels = sum(row["channels"] for row in document["certificates"])
    write_line(
        f"Requantiser: {channels - exact} of {channels} channels certified, {exact} by the "
        "exact unit."
    )
