"""`titian accelerator simulate`: does the circuit compute the same, value for value?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import write_error_line, write_json, write_line

if TYPE_CHECKING:
    from titian.accelerator.proof import Proof


def simulate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="From titian accelerator build.")
    ],
    inputs: Annotated[
        Path,
        typer.Argument(metavar="X.npz", help="Inputs under the model's input's name or x."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a built design on real inputs and compare every value.

    Every layer's every value is compared with the integer reference and with ONNX Runtime
    (optimisation disabled), and each layer's cycles with those predicted. Two planted faults
    must be caught. Needs a C++ compiler; without one nothing is shown. Exits 1 if anything
    differs or is not shown.

    \b
    Examples:
      titian accelerator simulate design test.npz --json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.accelerator.proof import prove

    proof = prove(folder, inputs, say=_say)
    document = proof_document(proof)
    document |= {"design": str(folder), "inputs": str(inputs)}
    if json:
        write_json(document)
    else:
        _print(document)
    if document["verdict"] != "met":
        raise typer.Exit(1)


def proof_document(proof: Proof) -> dict[str, Any]:
    """Return the proof as one JSON document; what is not shown is null, with a reason."""
    document: dict[str, Any] = {
        "verdict": proof.verdict,
        "reason": proof.reason or None,
        "remedy": proof.remedy or None,
        "cases": proof.cases,
        "outputs": proof.outputs,
        "equal_outputs": proof.outputs - proof.output_differences if proof.shown else None,
        "claim": proof.claim,
        "values": proof.values,
        "different": {
            "rtl_against_reference": proof.rtl_differences if proof.shown else None,
            "reference_against_onnxruntime": proof.runtime_differences,
            "first": proof.first or None,
        },
        "layers": [
            {
                "name": row.name,
                "cycles_predicted": row.predicted,
                "cycles_measured": list(row.measured),
                "equal": row.equal,
            }
            for row in proof.cycles
        ],
        "cycles_an_input": list(proof.total_cycles),
        "controls": [
            {"name": control.name, "what": control.what, "caught": control.caught}
            for control in proof.controls
        ],
        "onnxruntime": {
            "version": proof.runtime.version,
            "optimisation": proof.runtime.level,
            "machine": proof.runtime.machine,
            "cpu_flags": list(proof.runtime.flags),
        },
        "simulated_cycles": proof.simulated_cycles,
        "cycles_per_second": proof.cycles_per_second,
    }
    return document


def _say(text: str) -> None:
    # A pipe hears of the steps, a terminal also of every few samples.
    if sys.stderr.isatty() or not text.startswith("Simulated"):
        write_error_line(f"{text} ...")


def _print(document: dict[str, Any]) -> None:
    if document["verdict"] == "not shown":
        write_line(f"Not shown: {document['reason']}. {document['remedy']}")
        return
    write_line(document["claim"])
    different = document["different"]
    write_line(
        f"All layers: {document['values']} values; "
        f"{different['rtl_against_reference']} differ between RTL and integer reference, "
        f"{different['reference_against_onnxruntime']} between reference and ONNX Runtime "
        f"{document['onnxruntime']['version']}."
    )
    if different["first"]:
        write_line(f"They differ first at {different['first']}.")
    for layer in document["layers"]:
        measured = ", ".join(map(str, layer["cycles_measured"]))
        sign = "as predicted" if layer["equal"] else f"{layer['cycles_predicted']} predicted"
        write_line(f"  {layer['name']}: {measured} cycles, {sign}")
    for control in document["controls"]:
        outcome = "caught" if control["caught"] else "NOT CAUGHT"
        write_line(f"Planted fault, {control['what']}: {outcome}.")
    write_line(
        f"Simulated {document['simulated_cycles']} cycles at "
        f"{document['cycles_per_second']:,.0f} a second."
    )
    write_line(f"Verdict: {document['verdict']}.")
