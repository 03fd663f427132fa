"""The proof of a design: circuit, integer reference and ONNX Runtime, value for value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from titian.accelerator.faults import (
    PlantedFault,
    certificate_catches_off_by_one,
    plant_requantiser_off_by_one,
    plant_wrong_weight,
)
from titian.accelerator.quantization.calibration import batch_of, read_samples
from titian.accelerator.quantization.comparison import compare_with_runtime, quantised_inputs
from titian.accelerator.quantization.network import Convolution, Network
from titian.accelerator.quantization.reading import read_network
from titian.accelerator.quantization.reference import run_network
from titian.accelerator.quantization.requantisation import Int8s
from titian.accelerator.quantization.runtime import Runtime, describe
from titian.accelerator.rtl.program import Program, compile_network
from titian.accelerator.rtl.simulation import (
    NO_COMPILER,
    NO_COMPILER_REMEDY,
    LayerCycles,
    differences,
    make_simulator,
    open_build,
    simulate,
)

#: Inputs on which a planted fault must show.
CONTROL_CASES: Final = 4

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedOutcome:
    """Whether a planted fault was seen."""

    name: str
    what: str
    caught: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was compared, and what came of it.

    Attributes:
        cases: inputs.
        outputs: values of the network's result over all inputs.
        values: of all layers' results over all inputs.
        runtime: ONNX Runtime as it was.
        runtime_differences: values where the reference is not ONNX Runtime.
        reason: why nothing is shown; empty where something is.
        remedy: the next move then.
        output_differences: of `outputs`, circuit against reference.
        rtl_differences: of `values`, circuit against reference.
        first: the layer where a difference shows first.
        cycles: of each layer.
        total_cycles: from start to done, distinct over the inputs.
        controls: planted faults.
        simulated_cycles: all clock cycles.
        cycles_per_second: of the simulation, in processor time.
    """

    cases: int
    outputs: int
    values: int
    runtime: Runtime
    runtime_differences: int
    reason: str = ""
    remedy: str = ""
    output_differences: int = 0
    rtl_differences: int = 0
    first: str = ""
    cycles: tuple[LayerCycles, ...] = ()
    total_cycles: tuple[int, ...] = ()
    controls: tuple[PlantedOutcome, ...] = field(default=())
    simulated_cycles: int | None = None
    cycles_per_second: float | None = None

    @property
    def shown(self) -> bool:
        """Whether the circuit was run at all."""
        return not self.reason

    @property
    def verdict(self) -> str:
        """``met``, ``not met`` or ``not shown``."""
        if not self.shown:
            return "not shown"
        good = (
            self.runtime_differences == 0
            and self.rtl_differences == 0
            and all(row.equal for row in self.cycles)
            and all(control.caught for control in self.controls)
        )
        return "met" if good else "not met"

    @property
    def claim(self) -> str:
        """The sentence for a page."""
        if not self.shown:
            return "Not shown."
        return f"{self.outputs - self.output_differences} of {self.outputs} outputs equal."


def prove(folder: Path, inputs: Path, *, say: Say | None = None) -> Proof:
    """Run a built design on inputs and compare.

    Args:
        folder: of the build.
        inputs: npz file with the model's input.
        say: told what is going on.

    Raises:
        InputError: the inputs (T-C107 to T-C111) or the folder (T-C127) are wrong.
        EnvironmentFault: T-C122, T-C125, T-C128: a tool is missing or failed.
    """
    content, report = open_build(folder)
    model = onnx.load_model_from_string(content)
    network = read_network(model, name=folder.name)
    samples = read_samples(inputs, model, name=folder.name)
    rows, cols = int(report["rows"]), int(report["cols"])
    weights = {x.name for x in model.graph.initializer}
    feed = next(x.name for x in model.graph.input if x.name not in weights)
    batch = batch_of(model)
    agreement = compare_with_runtime(content, network, feed, samples.inputs, batch=batch)
    entry = quantised_inputs(content, network, feed, samples.inputs, batch=batch)
    outputs = len(entry) * int(np.prod(network.output))
    simulator = make_simulator(folder, say=say)
    if simulator is None:
        return Proof(
            cases=len(entry),
            outputs=outputs,
            values=agreement.values,
            runtime=describe(),
            runtime_differences=agreement.different,
            first=agreement.first,
            reason=NO_COMPILER,
            remedy=NO_COMPILER_REMEDY,
        )
    if say is not None:
        say("Simulating")
    found = simulate(folder, simulator, network, entry, rows=rows, cols=cols, say=say)
    values, wrong, first = differences(network, entry, found)
    expected = run_network(network, entry)[network.exit]
    if say is not None:
        say("Planting faults")
    program = compile_network(network, rows=rows, cols=cols)
    return Proof(
        cases=len(entry),
        outputs=outputs,
        values=values,
        runtime=agreement.runtime,
        runtime_differences=agreement.different,
        output_differences=int((found.tensors[network.exit] != expected).sum()),
        rtl_differences=wrong,
        first=first or agreement.first,
        cycles=found.cycles,
        total_cycles=found.total_cycles,
        controls=_controls(folder, simulator, network, entry[:CONTROL_CASES], program),
        simulated_cycles=found.simulated_cycles,
        cycles_per_second=found.simulated_cycles / max(found.seconds, 1e-9),
    )


def _controls(
    folder: Path, simulator: Path, network: Network, inputs: Int8s, program: Program
) -> tuple[PlantedOutcome, ...]:
    """Plant faults in the images, and one in a certificate, and look whether they show."""

    def caught(fault: PlantedFault) -> bool:
        found = simulate(
            folder,
            simulator,
            network,
            inputs,
            rows=program.rows,
            cols=program.cols,
            program=fault.program,
        )
        return differences(network, inputs, found)[1] > 0

    faults = (plant_requantiser_off_by_one(program), plant_wrong_weight(program))
    outcomes = [PlantedOutcome(name=f.name, what=f.what, caught=caught(f)) for f in faults]
    zeros = {x.name: x.y_zero for x in network.layers if isinstance(x, Convolution)}
    for name, certificates in program.certificates.items():
        mapped = next((c for c in certificates if c.affine is not None), None)
        if mapped is not None:
            outcomes.append(
                PlantedOutcome(
                    name="certificate_off_by_one",
                    what=f"a map of {name} that steps up one sum early",
                    caught=bool(certificate_catches_off_by_one(mapped, zeros[name])),
                )
            )
            break
    return tuple(outcomes)
