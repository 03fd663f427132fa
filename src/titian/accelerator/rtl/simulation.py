"""Run a built design in its C++ simulator and hold every value against the references."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from titian.accelerator.quantization.network import Network
from titian.accelerator.quantization.reference import run_network
from titian.accelerator.quantization.requantisation import Int8s
from titian.accelerator.rtl.build import MODEL, PROGRAM, REPORT, write_images
from titian.accelerator.rtl.program import Program, chunks_of, compile_network, pack, unpack
from titian.accelerator.rtl.timing import layer_cycles
from titian.accelerator.rtl.toolchain import compile_simulator, compiler
from titian.errors import EnvironmentFault, InputError, Problem

SIMULATOR: Final = "simulator"
NO_COMPILER: Final = "there is no C++ compiler here"
NO_COMPILER_REMEDY: Final = (
    "Install g++ or clang++ (Debian: apt install g++), or name one by CXX."
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCycles:
    """Cycles of a layer, the same for every input."""

    name: str
    predicted: int
    measured: tuple[int, ...]

    @property
    def equal(self) -> bool:
        """Every run took what was predicted."""
        return all(x == self.predicted for x in self.measured)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """What the design computed.

    Attributes:
        tensors: every layer's result by the tensor's name, shape (n, c, h, w).
        cycles: of each layer, measured and predicted.
        total_cycles: from start to done, the distinct values over all inputs.
        simulated_cycles: all clock cycles, loading and reading included.
        seconds: of processor time that they took.
    """

    tensors: dict[str, Int8s]
    cycles: tuple[LayerCycles, ...]
    total_cycles: tuple[int, ...]
    simulated_cycles: int
    seconds: float


def open_build(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a built folder's model and report.

    Raises:
        InputError: T-C127, the folder holds no finished build, or a file was changed.
    """
    try:
        report = json.loads((folder / REPORT).read_text())
        content = (folder / MODEL).read_bytes()
        json.loads((folder / PROGRAM).read_text())
        files = dict(report["files"])
        changed = [
            name
            for name, digest in files.items()
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
        ]
        if hashlib.sha256(content).hexdigest() != report["model_sha256"]:
            changed.append(MODEL)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            Problem(
                code="T-C127",
                message=f"{folder} holds no finished build.",
                remedy="Make one with `titian accelerator build`.",
            )
        ) from error
    if changed:
        raise InputError(
            Problem(
                code="T-C127",
                message=f"{folder}: {', '.join(changed)} changed since the build.",
                remedy="Build again; a simulation stands for what was built.",
            )
        )
    return content, report


def make_simulator(folder: Path, *, say: Say | None = None) -> Path | None:
    """Compile the simulator where it is older than its sources; None without a compiler.

    Raises:
        EnvironmentFault: T-C122 headers missing; T-C125 the compiler failed.
    """
    program = folder / SIMULATOR
    stamp = folder / "simulator.sha256"
    sources = ("design.cc", "harness.cpp", "sizes.h")
    digest = hashlib.sha256(b"".join((folder / x).read_bytes() for x in sources)).hexdigest()
    if program.is_file() and stamp.is_file() and stamp.read_text() == digest:
        return program
    command = compiler()
    if command is None:
        return None
    if say is not None:
        say("Compiling the simulator")
    compile_simulator(command, folder, ["harness.cpp"], SIMULATOR)
    stamp.write_text(digest)
    return program


def simulate(
    folder: Path,
    simulator: Path,
    network: Network,
    inputs: Int8s,
    *,
    rows: int,
    cols: int,
    program: Program | None = None,
    say: Say | None = None,
) -> Simulation:
    """Run inputs through the design.

    Args:
        folder: of the build.
        simulator: compiled.
        network: what it was built for.
        inputs: shape (n, channels, height, width), at least one.
        rows: of the array.
        cols: of the array.
        program: other images than the folder's, to plant faults.
        say: told of progress.

    Raises:
        EnvironmentFault: T-C128, the simulator failed or the design did not end.
    """
    planted = program
    program = program or compile_network(network, rows=rows, cols=cols)
    chunks = chunks_of(cols)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        images = folder
        if planted is not None:
            images = work / "images"
            images.mkdir()
            write_images(planted, images)
        words = np.zeros(
            (len(inputs), program.places[network.entry].words, 4 * chunks), np.uint8
        )
        words[:, :, :cols] = pack(inputs, cols)
        words.tofile(work / "inputs.bin")
        done = _run(
            [simulator.resolve(), images.resolve(), "inputs.bin", "outputs.bin", len(inputs)],
            work,
            say,
        )
        raw = np.fromfile(work / "outputs.bin", "<u4").reshape(len(inputs), -1)
    memory, cycles = np.split(raw, [program.activations * chunks], axis=1)
    lanes = np.ascontiguousarray(memory).view(np.uint8).reshape(len(inputs), -1, 4 * chunks)
    tensors = {}
    for layer in network.layers:
        place = program.places[layer.result]
        part = lanes[:, place.address : place.address + place.words, :cols]
        tensors[layer.result] = unpack(np.ascontiguousarray(part), place)
    steps, seconds, _ = done.split()
    return Simulation(
        tensors=tensors,
        cycles=tuple(
            LayerCycles(
                name=layer.name,
                predicted=layer_cycles(extent, rows=rows, cols=cols),
                measured=tuple(sorted({int(x) for x in cycles[:, place]})),
            )
            for place, (layer, extent) in enumerate(
                zip(network.layers, program.extents, strict=True)
            )
        ),
        total_cycles=tuple(sorted({int(x) for x in cycles[:, -1]})),
        simulated_cycles=int(steps),
        seconds=float(seconds),
    )


def differences(network: Network, inputs: Int8s, found: Simulation) -> tuple[int, int, str]:
    """Return (values, differing values, first differing layer) against the reference."""
    ours = run_network(network, inputs)
    values = wrong = 0
    first = ""
    for layer in network.layers:
        differing = int((found.tensors[layer.result] != ours[layer.result]).sum())
        values += ours[layer.result].size
        wrong += differing
        if differing and not first:
            first = layer.name
    return values, wrong, first


def _run(command: list[Any], work: Path, say: Say | None) -> str:
    with subprocess.Popen(  # noqa: S603 - our own simulator
        [str(x) for x in command],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        last = ""
        assert process.stderr is not None  # noqa: S101 - asked for above
        for line in process.stderr:
            last = line.strip()
            if say is not None:
                say(f"Simulated {last}")
        out = process.stdout.read() if process.stdout is not None else ""
    if process.returncode:
        raise EnvironmentFault(
            Problem(
                code="T-C128",
                message=f"the simulator failed ({process.returncode}): {last or 'no message'}.",
                remedy="Build again; if it fails again, report this message.",
            )
        )
    return out
