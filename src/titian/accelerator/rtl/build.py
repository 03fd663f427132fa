"""Make a folder that holds a design for one network: circuit, images, simulator, driver."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from titian.accelerator.quantization.certificates import WIDTHS_BITS
from titian.accelerator.quantization.network import Convolution, Network
from titian.accelerator.rtl.program import Place, Program, chunks_of, compile_network
from titian.accelerator.rtl.timing import layer_cycles
from titian.accelerator.rtl.toolchain import require_tools, run_yosys
from titian.errors import InputError, Problem

TEMPLATES: Final = ("os",)
LARGEST_SIDE: Final = 64
MODEL: Final = "model.int8.onnx"
PROGRAM: Final = "program.json"
#: A folder that holds this file was made here and may be written over.
REPORT: Final = "report.json"

#: Read as RTLIL, and simulated as it was read: after yosys's own rewriting the simulator
#: finds loops among the wires and must evaluate every cycle several times.
SCRIPT = (
    "read_rtlil design.il; hierarchy -top top; write_cxxrtl design.cc; "
    "proc; flatten; opt_clean; write_verilog -noattr design.v"
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A design in its folder.

    Attributes:
        folder: where it lies.
        program: what was compiled.
        report: the folder's ``report.json``.
    """

    folder: Path
    program: Program
    report: dict[str, Any]


def build(
    content: bytes,
    network: Network,
    folder: Path,
    *,
    rows: int,
    cols: int,
    template: str = "os",
    say: Say | None = None,
) -> Built:
    """Build a design.

    Args:
        content: the quantised model, kept beside the design.
        network: read from it.
        folder: made where it is missing; an earlier build in it is replaced.
        rows: of the array, 1 to 64.
        cols: of the array, 1 to 64.
        template: one of `TEMPLATES`.
        say: told what is going on.

    Raises:
        InputError: T-C120 rows or columns; T-C121 a layer too large; T-C123 the template;
            T-C126 the folder holds something else.
        EnvironmentFault: T-C122 a tool is missing; T-C124 yosys failed.
    """
    _require_sense(rows, cols, template, folder)
    require_tools()
    say = say or _silent
    program = compile_network(network, rows=rows, cols=cols)
    folder.mkdir(parents=True, exist_ok=True)
    # Written first, so that an interrupted build is known as one and may be repeated.
    (folder / REPORT).write_text('{"state": "unfinished"}\n')
    (folder / MODEL).write_bytes(content)
    write_images(program, folder)
    say("Elaborating the circuit")
    (folder / "design.il").write_text(_rtlil(program, len(network.layers)))
    here = Path(__file__).parent
    shutil.copyfile(here / "harness.cpp", folder / "harness.cpp")
    shutil.copyfile(here / "driver.py", folder / "driver.py")
    (folder / "sizes.h").write_text(_sizes_header(program, network))
    say("Running yosys (its first run ever compiles it: minutes)")
    run_yosys(SCRIPT, folder)
    document = program_document(program, network)
    (folder / PROGRAM).write_text(json.dumps(document, indent=2) + "\n")
    report = {
        "template": template,
        "rows": rows,
        "cols": cols,
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "layers": document["layers"],
        "cycles": sum(row["cycles"] for row in document["layers"]),
        "memories_bytes": {
            "weights": program.weights.size,
            "parameters": program.parameters.nbytes,
            "activations": program.activations * cols,
            "descriptors": program.descriptors.nbytes,
        },
        "certificates": certificate_document(program),
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
            if path.suffix in {".il", ".v", ".cc", ".bin", ".h", ".cpp", ".py"}
        },
    }
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return Built(folder=folder, program=program, report=report)


def write_images(program: Program, folder: Path) -> None:
    """Write the memory images as little-endian 32-bit words, in the port's order."""
    chunks = chunks_of(program.cols)
    padded = np.zeros((len(program.weights), 4 * chunks), np.int8)
    padded[:, : program.cols] = program.weights
    padded.view("<u4").tofile(folder / "weights.bin")
    program.parameters.astype("<u4").tofile(folder / "parameters.bin")
    program.descriptors.astype("<u4").tofile(folder / "descriptors.bin")


def program_document(program: Program, network: Network) -> dict[str, Any]:
    """Return what a driver must know, with each layer's predicted cycles."""
    layers = []
    for layer, extent in zip(network.layers, program.extents, strict=True):
        cycles = layer_cycles(extent, rows=program.rows, cols=program.cols)
        products = layer.products if isinstance(layer, Convolution) else 0
        layers.append(
            {
                "name": layer.name,
                "kind": "convolution" if isinstance(layer, Convolution) else "maxpool",
                "cycles": cycles,
                "products": products,
                "utilization": products / (cycles * program.rows * program.cols),
                "result": _place(program.places[layer.result]),
            }
        )
    return {
        "rows": program.rows,
        "cols": program.cols,
        "chunks": chunks_of(program.cols),
        "entry": _place(program.places[network.entry]),
        "exit": _place(program.places[network.exit]),
        "activation_words": program.activations,
        "layers": layers,
    }


def certificate_document(program: Program) -> list[dict[str, Any]]:
    """Return every channel's certificate: its map, or that the exact unit computes it."""
    return [
        {
            "layer": name,
            "channels": len(found),
            "exact_unit": sum(c.affine is None for c in found),
            "certified": {
                f"{bits}_bit": sum(
                    c.affine is not None and c.affine.bits == bits for c in found
                )
                for bits in WIDTHS_BITS
            },
            "maps": [
                None
                if c.affine is None
                else {
                    "scale": c.scale,
                    "multiplier": c.affine.multiplier,
                    "offset": c.affine.offset,
                    "shift": c.affine.shift,
                    "thresholds": c.thresholds,
                }
                for c in found
            ],
        }
        for name, found in program.certificates.items()
    ]


def _rtlil(program: Program, layers: int) -> str:
    from amaranth.back import rtlil

    from titian.accelerator.rtl.machine import Machine, Sizes

    machine = Machine(
        Sizes(
            rows=program.rows,
            cols=program.cols,
            layers=layers,
            weights=len(program.weights),
            parameters=len(program.parameters),
            activations=program.activations,
        )
    )
    return str(rtlil.convert(machine, name="top", emit_src=False))


def _sizes_header(program: Program, network: Network) -> str:
    chunks = chunks_of(program.cols)
    entry = program.places[network.entry]
    predicted = sum(
        layer_cycles(x, rows=program.rows, cols=program.cols) for x in program.extents
    )
    values = {
        "ENTRY_INDEX": f"{entry.address * chunks}u",
        "ENTRY_WORDS": f"{entry.words * chunks}u",
        "ACTIVATION_WORDS": f"{program.activations * chunks}u",
        "LAYERS": f"{len(network.layers)}u",
        "CYCLE_LIMIT": f"{4 * predicted + 10_000}ull",
    }
    return "#pragma once\n" + "".join(f"#define {k} {v}\n" for k, v in values.items())


def _place(place: Place) -> dict[str, Any]:
    return {
        "address": place.address,
        "words": place.words,
        "groups": place.groups,
        "shape": list(place.shape),
    }


def _require_sense(rows: int, cols: int, template: str, folder: Path) -> None:
    problems = []
    if not (1 <= rows <= LARGEST_SIDE and 1 <= cols <= LARGEST_SIDE):
        problems.append(
            Problem(
                code="T-C120",
                message=f"{rows} x {cols} is no array; rows and columns go from 1 to "
                f"{LARGEST_SIDE}.",
                remedy="Give another --rows or --cols.",
            )
        )
    if template not in TEMPLATES:
        problems.append(
            Problem(
                code="T-C123",
                message=f"template {template!r} does not exist.",
                remedy=f"Give one of: {', '.join(TEMPLATES)}.",
            )
        )
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / REPORT).exists())
    ):
        problems.append(
            Problem(
                code="T-C126",
                message=f"{folder} holds something that is no earlier build.",
                remedy="Give a new folder, or empty this one.",
            )
        )
    if problems:
        raise InputError(*problems)


def _silent(_text: str) -> None:
    """Say nothing."""
