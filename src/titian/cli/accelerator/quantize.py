"""`titian accelerator quantize`: a model in 8-bit integers, and what that does to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import write_json, write_line

if TYPE_CHECKING:
    from titian.accelerator.quantization.accuracy import Accuracy
    from titian.accelerator.quantization.comparison import Agreement
    from titian.accelerator.quantization.network import Network
    from titian.statistics.estimate import Estimate

COMPARED_CASES = 64
"""Cases on which the integer reference is held against ONNX Runtime."""


def quantize(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="In floating point, one input.")
    ],
    calibration: Annotated[
        Path,
        typer.Option(
            metavar="X.npz", help="Inputs under the input's name or x; labels under y."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="M.int8.onnx", help="Where the result goes.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Give a model 8-bit integers: weights per channel, activations per tensor.

    Ranges come from the calibration data. The integer part runs from the first product with
    fixed weights to the last; what lies outside stays in floating point. Scales are chosen
    so that a small circuit requantises exactly, with a certificate per channel. With labels
    the accuracy of both models is compared case by case.

    \b
    Examples:
      titian accelerator quantize model.onnx --calibration tune.npz --out model.int8.onnx
    """  # noqa: D301 - \b keeps the help from being rewrapped
    import onnx

    from titian.accelerator.quantization.calibration import batch_of, read_samples
    from titian.accelerator.quantization.comparison import compare_with_runtime
    from titian.accelerator.quantization.files import open_model, write_model
    from titian.accelerator.quantization.quantizer import quantize as run
    from titian.accelerator.quantization.reading import read_network

    content, parsed = open_model(model)
    samples = read_samples(calibration, parsed, name=model.name)
    made = run(content, samples.inputs, name=model.name)
    after = onnx.load_model_from_string(made.content)
    network = read_network(after, name=out.name)
    weights = {x.name for x in parsed.graph.initializer}
    feed = next(x.name for x in parsed.graph.input if x.name not in weights)
    batch = batch_of(parsed)
    cases = COMPARED_CASES - COMPARED_CASES % (batch or 1) or (batch or 1)
    agreement = compare_with_runtime(
        made.content, network, feed, samples.inputs[:cases], batch=batch
    )
    accuracy = None
    if samples.labels is not None:
        from titian.accelerator.quantization.accuracy import compare_accuracy

        scores = [
            _scores(each, feed, samples.inputs, batch) for each in (content, made.content)
        ]
        accuracy = compare_accuracy(scores[0], scores[1], samples.labels)
    write_model(out, made.content)
    document = quantize_document(network, agreement, accuracy)
    document |= {
        "model": str(model),
        "out": str(out),
        "sha256": hashlib.sha256(made.content).hexdigest(),
        "calibration_cases": len(samples.inputs),
        "host": [{"name": name, "operator": kind} for name, kind in made.host],
    }
    if json:
        write_json(document)
    else:
        _print(document)


def quantize_document(
    network: Network, agreement: Agreement, accuracy: Accuracy | None
) -> dict[str, Any]:
    """Return what is known of the 8-bit model as one JSON document."""
    from titian.accelerator.quantization.certificates import WIDTHS_BITS, certify
    from titian.accelerator.quantization.network import Convolution

    layers = []
    for layer in network.layers:
        row: dict[str, Any] = {
            "name": layer.name,
            "kind": "convolution" if isinstance(layer, Convolution) else "maxpool",
            "input": list(layer.shape),
            "output": list(layer.output),
        }
        if isinstance(layer, Convolution):
            found = certify(layer.scales, layer.y_zero)
            widths = [c.affine.bits if c.affine else 0 for c in found]
            row |= {
                "products": layer.products,
                "channels": len(found),
                "certified": {f"{bits}_bit": widths.count(bits) for bits in WIDTHS_BITS},
                "exact_unit": widths.count(0),
            }
        layers.append(row)
    return {
        "layers": layers,
        "channels": sum(row.get("channels", 0) for row in layers),
        "certified_channels": sum(sum(row.get("certified", {}).values()) for row in layers),
        "reference": {
            "values": agreement.values,
            "different": agreement.different,
            "first_difference": agreement.first or None,
            "onnxruntime": agreement.runtime.version,
            "optimisation": agreement.runtime.level,
            "cpu_flags": list(agreement.runtime.flags),
        },
        "accuracy": None
        if accuracy is None
        else {
            "n": accuracy.n,
            "before": _estimate(accuracy.before),
            "after": _estimate(accuracy.after),
            "change": _estimate(accuracy.change),
            "decided_differently": accuracy.flipped,
            "note": "Measured on the calibration cases.",
        },
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    interval = found.intervals[0] if found.intervals else None
    return {
        "value": found.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "method": found.method,
    }


def _scores(content: bytes, feed: str, inputs: Any, batch: int | None) -> Any:  # noqa: ANN401
    import numpy as np

    from titian.accelerator.quantization.runtime import open_level

    session = open_level(content)
    size = batch or 256
    return np.concatenate(
        [
            np.asarray(session.run(None, {feed: inputs[i : i + size]})[0])
            for i in range(0, len(inputs), size)
        ]
    )


def _print(document: dict[str, Any]) -> None:
    write_line(f"Wrote {document['out']}: {len(document['layers'])} integer layers.")
    for layer in document["layers"]:
        shape = " x ".join(map(str, layer["output"]))
        proved = ""
        if "channels" in layer:
            proved = f", {layer['channels'] - layer['exact_unit']} of {layer['channels']} "
            proved += "channels certified"
        write_line(f"  {layer['name']}: {layer['kind']} to {shape}{proved}")
    if document["host"]:
        names = ", ".join(f"{x['name']} ({x['operator']})" for x in document["host"])
        write_line(f"Stay with the host: {names}.")
    reference = document["reference"]
    write_line(
        f"Integer reference against ONNX Runtime {reference['onnxruntime']} (optimisation "
        f"disabled): {reference['values'] - reference['different']} of {reference['values']} "
        "values equal."
    )
    accuracy = document["accuracy"]
    if accuracy is None:
        write_line("Accuracy: not shown; the calibration file holds no labels (y).")
        return
    change = accuracy["change"]
    spread = (
        f" ({change['low']:+.4f} to {change['high']:+.4f})" if change["low"] is not None else ""
    )
    write_line(
        f"Accuracy on the {accuracy['n']} calibration cases: "
        f"{accuracy['before']['value']:.4f} before, {accuracy['after']['value']:.4f} after; "
        f"change {change['value']:+.4f}{spread}; "
        f"{accuracy['decided_differently']} decided differently."
    )
