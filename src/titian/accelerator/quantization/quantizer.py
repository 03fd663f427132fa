"""Give a model 8-bit integers: weights per channel, activations per tensor.

Every layer becomes a ``QLinearConv`` or an 8-bit ``MaxPool`` of the ONNX standard: a Gemm is
a convolution whose kernel is the image, an average a convolution with equal weights. So one
integer arithmetic, with one requantisation, computes the whole network. Weights are symmetric
and scaled so that their requantisation has a certified narrow map (`nudged_scales`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.certificates import nudged_scales
from titian.accelerator.quantization.float_graph import (
    PRODUCTS,
    Region,
    Step,
    attributes,
    find_region,
)
from titian.accelerator.quantization.requantisation import HIGHEST, LOWEST
from titian.accelerator.quantization.runtime import all_tensors
from titian.errors import InputError, Problem

#: Cases a call while calibrating: the inner tensors of all are in memory at once.
BATCH = 32
#: Values of a tensor on which clipping is weighed.
SAMPLED = 100_000
#: Ranges that are weighed against the whole one.
CLIPPINGS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
OPSET = 17

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The 8-bit numbers of a tensor: value = scale * (q - zero)."""

    scale: float
    zero: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A quantised model.

    Attributes:
        content: the ONNX file's bytes.
        integer: names of the nodes that became integer.
        host: names of the nodes that stay in floating point, with their operator.
    """

    content: bytes
    integer: tuple[str, ...]
    host: tuple[tuple[str, str], ...]


def quantize(
    content: bytes,
    inputs: npt.NDArray[Any],
    *,
    name: str,
    progress: Progress | None = None,
) -> Quantized:
    """Quantise a model with calibration data.

    Args:
        content: an inspected model of floating-point numbers.
        inputs: shape (n, ...), as the model's input takes them.
        name: how messages name the file.
        progress: told of (cases run, cases).

    Raises:
        InputError: T-C101, T-C102, T-C105, T-C112 (see `find_region`); T-C104 a tensor in
            the integer part is neither an image nor a row of values.
    """
    import onnx
    from onnx import numpy_helper

    model = _simplified(content)
    constants = {x.name: numpy_helper.to_array(x) for x in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    region = find_region(model, constants, name=name)
    grids, shapes = _calibrate(model, region, inputs, progress)
    _require_shapes(shapes, name)
    graph = _integer_graph(model, region, constants, grids, shapes)
    fresh = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", max(_opset(model), 13))],
        ir_version=min(max(model.ir_version, 8), 10),
        producer_name="titian",
    )
    fresh.metadata_props.extend(onnx.load_model_from_string(content).metadata_props)
    onnx.checker.check_model(fresh)
    return Quantized(
        content=fresh.SerializeToString(),
        integer=tuple(step.node.name or step.result for step in region.steps),
        host=tuple(
            (node.name or node.output[0], str(node.op_type))
            for node in (*region.before, *region.after)
            if node.op_type != "Constant"
        ),
    )


def _simplified(content: bytes) -> Any:  # noqa: ANN401 - onnx ships no types
    """Fold constants and batch normalisation, as ONNX Runtime's basic level does."""
    import onnx
    import onnxruntime

    model = onnx.load_model_from_string(content)
    # Old files list weights among the inputs, where they cannot be folded.
    weights = {x.name for x in model.graph.initializer}
    entries = [x for x in model.graph.input if x.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(entries)
    model.ir_version = max(model.ir_version, 4)
    if _opset(model) < 13:
        model = onnx.version_converter.convert_version(model, OPSET)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simplified.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = str(path)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = (str(error).strip().splitlines() or ["no message"])[0][:200]
            raise InputError(
                Problem(
                    code="T-C106",
                    message=f"onnxruntime cannot run the model: {reason.rstrip('. ')}.",
                    remedy="Export the model again with operators that onnxruntime knows.",
                )
            ) from error
        return onnx.load(str(path))


def _opset(model: Any) -> int:  # noqa: ANN401
    return int(next(x.version for x in model.opset_import if x.domain in ("", "ai.onnx")))


def _calibrate(
    model: Any,  # noqa: ANN401
    region: Region,
    inputs: npt.NDArray[Any],
    progress: Progress | None,
) -> tuple[dict[str, Grid], dict[str, tuple[int, ...]]]:
    names = list(dict.fromkeys([region.entry, *(step.result for step in region.steps)]))
    if region.exit not in names:
        names.append(region.exit)
    weights = {x.name for x in model.graph.initializer}
    entry = next(x for x in model.graph.input if x.name not in weights)
    dims = entry.type.tensor_type.shape.dim
    batch = int(dims[0].dim_value) if dims and dims[0].dim_value > 0 else BATCH
    content = model.SerializeToString()
    lows = dict.fromkeys(names, 0.0)
    highs = dict.fromkeys(names, 0.0)
    kept: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in names}
    shapes: dict[str, tuple[int, ...]] = {}
    calls = -(-len(inputs) // batch)
    for call in range(calls):
        part = inputs[call * batch : (call + 1) * batch]
        tensors = all_tensors(content, {entry.name: part}, names)
        for name in names:
            values = np.asarray(tensors[name], np.float32)
            shapes[name] = values.shape[1:]
            lows[name] = min(lows[name], float(values.min()))
            highs[name] = max(highs[name], float(values.max()))
            flat = values.reshape(-1)
            kept[name].append(flat[:: max(1, flat.size * calls // SAMPLED)].copy())
        if progress is not None:
            progress(min((call + 1) * batch, len(inputs)), len(inputs))
    grids = {}
    for name in names:
        sample = np.concatenate(kept[name])
        whole = name in (region.entry, region.exit)
        grids[name] = _grid(lows[name], highs[name], None if whole else sample)
    # A maximum keeps its input's grid, since it changes no value.
    for step in region.steps:
        if step.node.op_type == "MaxPool":
            if step.clipped and step.source != region.entry:
                grids[step.source] = grids[step.result]
            grids[step.result] = grids[step.source]
    return grids, shapes


def _grid(low: float, high: float, sample: npt.NDArray[np.float32] | None) -> Grid:
    """Return the grid of least squared error among the clippings; the whole range without."""
    best, least = _grid_of(low, high), np.inf
    if sample is None:
        return best
    for share in CLIPPINGS:
        grid = _grid_of(low * share, high * share)
        step = np.rint(sample / grid.scale) + grid.zero
        error = float(
            ((np.clip(step, LOWEST, HIGHEST) - grid.zero) * grid.scale - sample).var()
            + ((np.clip(step, LOWEST, HIGHEST) - grid.zero) * grid.scale - sample).mean() ** 2
        )
        if error < least:
            best, least = grid, error
    return best


def _grid_of(low: float, high: float) -> Grid:
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-30:
        return Grid(scale=1.0, zero=0)
    scale = float(np.float32((high - low) / (HIGHEST - LOWEST)))
    return Grid(scale=scale, zero=int(np.clip(round(LOWEST - low / scale), LOWEST, HIGHEST)))


def _require_shapes(shapes: dict[str, tuple[int, ...]], name: str) -> None:
    problems = [
        Problem(
            code="T-C104",
            message=f"{name}: tensor {tensor!r} has {len(shape) + 1} axes; the integer part "
            "takes images (n, c, h, w) and rows (n, values).",
            remedy="Cut the model where its sequences begin.",
        )
        for tensor, shape in shapes.items()
        if len(shape) not in (1, 3)
    ]
    if problems:
        raise InputError(*problems)


@dataclass(slots=True, kw_only=True)
class _Writer:
    nodes: list[Any]
    initializers: list[Any]

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        if all(x.name != name for x in self.initializers):
            self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def grid(self, tensor: str, grid: Grid) -> tuple[str, str]:
        return (
            self.constant(f"{tensor}_scale", np.asarray(grid.scale, np.float32)),
            self.constant(f"{tensor}_zero", np.asarray(grid.zero, np.int8)),
        )

    def node(self, kind: str, sources: Sequence[str], result: str, **given: Any) -> str:  # noqa: ANN401
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, list(sources), [result], name=f"{result}_{kind}", **given)
        )
        return result

    def reshape(self, source: str, result: str, sides: Sequence[int]) -> str:
        shape = self.constant(f"{result}_shape", np.asarray(sides, np.int64))
        return self.node("Reshape", [source, shape], result)


def _integer_graph(
    model: Any,  # noqa: ANN401
    region: Region,
    constants: dict[str, npt.NDArray[Any]],
    grids: dict[str, Grid],
    shapes: dict[str, tuple[int, ...]],
) -> Any:  # noqa: ANN401
    from onnx import TensorProto, helper

    writer = _Writer(nodes=[], initializers=[])
    entry = region.entry
    tensor = writer.node(
        "QuantizeLinear", [entry, *writer.grid(entry, grids[entry])], f"{entry}_q"
    )
    if len(shapes[entry]) == 1:
        tensor = writer.reshape(tensor, f"{entry}_q4", (-1, shapes[entry][0], 1, 1))
    names = {entry: tensor}
    sides: dict[str, tuple[int, ...]] = {
        entry: shapes[entry] if len(shapes[entry]) == 3 else (shapes[entry][0], 1, 1)
    }
    for step in region.steps:
        result = f"{step.result}_q"
        source, shape = names[step.source], sides[step.source]
        if step.node.op_type == "MaxPool":
            given = attributes(step.node)
            kept = ("kernel_shape", "strides", "pads", "dilations")
            writer.node(
                "MaxPool", [source], result, **{k: given[k] for k in kept if k in given}
            )
        else:
            _product(writer, step, (source, result), shape, constants, grids)
        names[step.result] = result
        after = shapes[step.result]
        sides[step.result] = after if len(after) == 3 else (after[0], 1, 1)
    last = region.alias[region.exit]
    tensor = names[last]
    if len(shapes[region.exit]) == 1:
        tensor = writer.reshape(tensor, f"{last}_q2", (-1, shapes[region.exit][0]))
    writer.node("DequantizeLinear", [tensor, *writer.grid(last, grids[last])], region.exit)
    nodes = [*region.before, *writer.nodes, *region.after]
    used = {x for node in nodes for x in node.input}
    own = {x.name for x in writer.initializers}
    kept_constants = [
        x for x in model.graph.initializer if x.name in used and x.name not in own
    ]
    weights = {x.name for x in model.graph.initializer}
    return helper.make_graph(
        nodes,
        model.graph.name or "quantized",
        [x for x in model.graph.input if x.name not in weights],
        list(model.graph.output),
        [*kept_constants, *writer.initializers],
        # What enters may be computed with a shape that the standard cannot infer.
        value_info=[]
        if any(x.name == entry for x in model.graph.input)
        else [helper.make_tensor_value_info(entry, TensorProto.FLOAT, ["n", *shapes[entry]])],
    )


def _product(
    writer: _Writer,
    step: Step,
    ends: tuple[str, str],
    shape: tuple[int, ...],
    constants: dict[str, npt.NDArray[Any]],
    grids: dict[str, Grid],
) -> None:
    """Write a convolution, a matrix product or an average as a QLinearConv."""
    x, y = grids[step.source], grids[step.result]
    weights, bias, given = _weights(step, shape, constants)
    if step.bias is not None:
        bias = bias + np.broadcast_to(step.bias, bias.shape)
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    # A bias must fit into 31 bits of its own unit; a channel of zeros has no scale of its own.
    scales = np.maximum(largest / HIGHEST, np.abs(bias) / (x.scale * 2.0**30))
    scales = np.where(scales > 0, scales, y.scale / x.scale * 2.0**-8)
    if step.node.op_type not in PRODUCTS:
        scales = largest  # an average: every weight is 1
    scales = nudged_scales(np.asarray(scales, np.float32), x.scale, y.scale, y.zero)
    wide = scales.astype(np.float64)
    stored = np.rint(weights / wide.reshape(-1, *([1] * (weights.ndim - 1))))
    label = ends[1]
    sources = [
        ends[0],
        *writer.grid(step.source, x),
        writer.constant(f"{label}_weights", np.clip(stored, -HIGHEST, HIGHEST).astype(np.int8)),
        writer.constant(f"{label}_weights_scale", scales),
        writer.constant(f"{label}_weights_zero", np.zeros(len(scales), np.int8)),
        *writer.grid(step.result, y),
        writer.constant(f"{label}_bias", np.rint(bias / (x.scale * wide)).astype(np.int32)),
    ]
    writer.node("QLinearConv", sources, label, **given)


def _weights(
    step: Step, shape: tuple[int, ...], constants: dict[str, npt.NDArray[Any]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], dict[str, Any]]:
    """Return weights (filters, channels, height, width), bias and attributes."""
    node, given = step.node, attributes(step.node)
    match node.op_type:
        case "Conv":
            weights = constants[node.input[1]].astype(np.float64)
            kept = ("strides", "pads", "dilations", "group", "auto_pad", "kernel_shape")
            settings = {k: given[k] for k in kept if k in given}
        case "Gemm" | "MatMul":
            matrix = constants[node.input[1]].astype(np.float64)
            if node.op_type == "MatMul" or not given.get("transB", 0):
                matrix = matrix.T
            weights = (matrix * float(given.get("alpha", 1.0))).reshape(len(matrix), *shape)
            settings = {}
        case _:
            kernel = tuple(given.get("kernel_shape", shape[1:]))
            if node.op_type in {"GlobalAveragePool", "ReduceMean"}:
                kernel = shape[1:]
            weights = np.full((shape[0], 1, *kernel), 1.0 / (kernel[0] * kernel[1]))
            settings = {k: given[k] for k in ("strides", "pads") if k in given}
            settings["group"] = shape[0]
    bias = np.zeros(len(weights))
    if node.op_type in {"Conv", "Gemm"} and len(node.input) > 2 and node.input[2]:
        flat = constants[node.input[2]].astype(np.float64).reshape(-1)
        bias = np.array(np.broadcast_to(flat, bias.shape))
    return weights, bias, settings
