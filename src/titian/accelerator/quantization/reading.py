"""Read the integer network out of a quantised ONNX model.

The model may hold operators of floating-point numbers in front of its first
``QuantizeLinear`` and behind its last ``DequantizeLinear``: those stay with the host. All
between must be integer operators that the designs compute; any other is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.network import (
    Convolution,
    Layer,
    MaxPool,
    Network,
    Shape,
    Window,
)
from titian.accelerator.quantization.requantisation import check_scales, combined_scales
from titian.errors import InputError, Problem

SUPPORTED = (
    "QuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "MaxPool", "Flatten", "Reshape",
    "Squeeze", "Identity", "DequantizeLinear",
)  # fmt: skip
_RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Identity"})
#: Operators of domains that are read though the standard does not hold them.
FOREIGN = frozenset({"QGemm"})


@dataclass(slots=True, kw_only=True)
class _Reader:
    """What is known while the nodes are read in order."""

    name: str
    constants: dict[str, npt.NDArray[Any]]
    shapes: dict[str, Shape]
    alias: dict[str, str]
    unsigned: set[str]
    problems: list[Problem]
    layers: list[Layer]


def read_network(model: Any, *, name: str) -> Network:  # noqa: ANN401 - onnx ships no types
    """Return the integer network of an ``onnx.ModelProto``.

    Args:
        model: in the QOperator form.
        name: how messages name the file.

    Raises:
        InputError: T-C101 the model is not quantised; T-C102 an operator is not supported;
            T-C103 a scale out of range; T-C104 the shape is not fixed; T-C105 the integer
            part has several entries or exits. All operators are named together.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {x.name: numpy_helper.to_array(x) for x in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = numpy_helper.to_array(attribute.t)
    inner, entries = _integer_part(graph, constants)
    if not any(node.op_type.startswith("QLinear") or node.op_type == "QGemm" for node in inner):
        raise InputError(_not_quantised(name, graph))
    reader = _Reader(
        name=name,
        constants=constants,
        shapes={},
        alias={},
        unsigned=set(),
        problems=[],
        layers=[],
    )
    if len(entries) != 1:
        shown = ", ".join(repr(x.output[0]) for x in entries)
        raise InputError(
            Problem(
                code="T-C105",
                message=f"{name}: {len(entries)} tensors enter the integer part ({shown}); "
                "it must be one.",
                remedy="Quantise the whole model between its first and its last "
                "convolution with `titian accelerator quantize`.",
            )
        )
    entry = entries[0].output[0]
    reader.shapes[entry] = _fixed(model, entries[0].input[0], name)
    reader.alias[entry] = entry
    if _zero(constants, entries[0], 2)[1]:
        reader.unsigned.add(entry)
    exits: list[str] = []
    for node in inner:
        if node.op_type == "DequantizeLinear":
            exits.append(reader.alias.get(node.input[0], node.input[0]))
        elif node.op_type not in SUPPORTED:
            reader.problems.append(_unsupported(name, node))
        elif all(source in reader.alias for source in node.input[:1]):
            _read(reader, node)
    if reader.problems:
        raise InputError(*reader.problems)
    if len(set(exits)) != 1 or not reader.layers or exits[0] == entry:
        raise InputError(
            Problem(
                code="T-C105",
                message=f"{name}: {len(set(exits))} tensors leave the integer part; it must "
                "be one.",
                remedy="Give the model one output, behind one DequantizeLinear.",
            )
        )
    return Network(
        entry=entry,
        exit=exits[0],
        shape=reader.shapes[entry],
        layers=tuple(reader.layers),
        tensors=tuple(layer.result for layer in reader.layers),
        unsigned=frozenset(reader.unsigned),
    )


def _integer_part(graph: Any, constants: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    """Return the nodes that hang on a QuantizeLinear up to the DequantizeLinear behind."""
    entries = [
        node
        for node in graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants
    ]
    inside = {node.output[0] for node in entries}
    inner = []
    for node in graph.node:
        if any(source in inside for source in node.input):
            inner.append(node)
            if node.op_type != "DequantizeLinear":
                inside.update(node.output)
    return inner, entries


def _read(reader: _Reader, node: Any) -> None:  # noqa: ANN401 - onnx ships no types
    if node.op_type in _RESHAPING:
        source = node.input[0]
        reader.alias[node.output[0]] = reader.alias[source]
        if source in reader.unsigned:
            reader.unsigned.add(node.output[0])
        shape = _reshaped(reader, node)
        if shape is None:
            reader.problems.append(
                _unsupported(reader.name, node, "that does more than flatten an image")
            )
        reader.shapes[node.output[0]] = shape or reader.shapes[source]
        return
    if node.op_type == "MaxPool":
        layer: Layer | None = _pool(reader, node)
    else:
        layer = _product(reader, node)
    if layer is not None:
        reader.layers.append(layer)
        reader.shapes[layer.result] = layer.output
        reader.alias[layer.result] = layer.result


def _reshaped(reader: _Reader, node: Any) -> Shape | None:  # noqa: ANN401
    """Return the shape behind a node that moves nothing; None where it would mix channels."""
    shape = reader.shapes[node.input[0]]
    flat = (shape[0] * shape[1] * shape[2], 1, 1)
    if node.op_type == "Identity":
        return shape
    if node.op_type == "Flatten":
        return flat if _attributes(node).get("axis", 1) == 1 else None
    if node.op_type == "Squeeze":
        return flat if shape[1:] == (1, 1) else None
    wanted = reader.constants.get(node.input[1])
    if wanted is None:
        return None
    sides = [int(side) for side in wanted.reshape(-1)[1:]]
    if len(sides) == 1 and sides[0] in (-1, flat[0]):
        return flat
    if sides == [flat[0], 1, 1] or sides == [-1, 1, 1]:
        return flat
    return shape if sides == list(shape) else None


def _pool(reader: _Reader, node: Any) -> Layer | None:  # noqa: ANN401 - onnx ships no types
    shape = reader.shapes[node.input[0]]
    window = _window(reader, node, shape, None)
    if window is None:
        return None
    if len(node.output) > 1 or _attributes(node).get("ceil_mode", 0):
        reader.problems.append(_unsupported(reader.name, node, "with indices or ceil_mode"))
        return None
    if node.input[0] in reader.unsigned:
        reader.unsigned.add(node.output[0])
    return MaxPool(
        name=node.name or node.output[0],
        source=reader.alias[node.input[0]],
        result=node.output[0],
        shape=shape,
        window=window,
    )


def _product(reader: _Reader, node: Any) -> Layer | None:  # noqa: ANN401 - onnx ships no types
    """Read QLinearConv, QLinearMatMul and QGemm, which order their inputs differently."""
    gemm = node.op_type == "QGemm"
    places = (0, 1, 2, 3, 4, 5, 7, 8) if gemm else (0, 1, 2, 3, 4, 5, 6, 7)
    x, xs, _, w, ws, _, ys, yz = (node.input[i] if i < len(node.input) else "" for i in places)
    bias_name = node.input[6 if gemm else 8] if len(node.input) > (6 if gemm else 8) else ""
    label = node.name or node.output[0]
    if any(c not in reader.constants for c in (xs, w, ws, ys, yz)):
        reader.problems.append(
            _unsupported(reader.name, node, "whose weights or scales are computed")
        )
        return None
    constants = reader.constants
    x_zero, _ = _zero(constants, node, 2)
    y_zero, unsigned = _zero(constants, node, places[7])
    stored = constants[w].astype(np.int64)
    w_zero = constants[node.input[5]].astype(np.int64) if node.input[5] else np.zeros(1, int)
    shape = reader.shapes[x]
    attributes = _attributes(node)
    convolution = node.op_type == "QLinearConv"
    if convolution:
        centred = stored - w_zero.reshape(-1, *([1] * (stored.ndim - 1)))
    else:
        if gemm and attributes.get("transB", 0):
            stored = stored.T
        centred = (stored - w_zero.reshape(1, -1)).T  # filters first
    if centred.min() < -128 or centred.max() > 127 or (gemm and attributes.get("transA", 0)):
        reader.problems.append(
            _unsupported(reader.name, node, "whose weights less their zero point need 9 bits")
        )
        return None
    if gemm and attributes.get("alpha", 1.0) != 1.0:
        reader.problems.append(_unsupported(reader.name, node, "with an alpha other than 1"))
        return None
    if not convolution:
        centred = centred.reshape(*centred.shape, 1, 1)
    window = _window(reader, node, shape, centred) if convolution else Window(kernel=(1, 1))
    if window is None:
        return None
    groups = int(attributes.get("group", 1)) if convolution else 1
    origin = reader.shapes[reader.alias[x]]
    if origin != shape:
        # A product over a flattened image is a convolution whose kernel is the image.
        if window.kernel != (1, 1) or groups != 1:
            reader.problems.append(
                _unsupported(reader.name, node, "over windows of a flattened image")
            )
            return None
        centred, shape = centred.reshape(len(centred), *origin), origin
        window = Window(kernel=shape[1:])
    scales = np.broadcast_to(
        combined_scales(constants[xs], constants[ws].reshape(-1), constants[ys]),
        (len(centred),),
    )
    check_scales(scales, node=label)
    if unsigned:
        reader.unsigned.add(node.output[0])
    bias = constants[bias_name] if bias_name else np.zeros(len(centred))
    return Convolution(
        name=label,
        source=reader.alias[x],
        result=node.output[0],
        shape=shape,
        window=window,
        weights=np.asarray(centred, np.int8),
        bias=np.asarray(bias, np.int32).reshape(-1),
        groups=groups,
        scales=np.ascontiguousarray(scales),
        x_zero=x_zero,
        y_zero=y_zero,
    )


def _window(
    reader: _Reader,
    node: Any,  # noqa: ANN401 - onnx ships no types
    shape: Shape,
    weights: npt.NDArray[Any] | None,
) -> Window | None:
    attributes = _attributes(node)
    kernel = attributes.get("kernel_shape")
    if kernel is None and weights is not None:
        kernel = list(weights.shape[2:])
    if kernel is None or len(kernel) != 2:
        reader.problems.append(_unsupported(reader.name, node, "that is not over two axes"))
        return None
    strides = tuple(attributes.get("strides", (1, 1)))
    dilations = tuple(attributes.get("dilations", (1, 1)))
    pads = tuple(attributes.get("pads", (0, 0, 0, 0)))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        ends = []
        for side, stride, size, dilation in zip(
            shape[1:], strides, kernel, dilations, strict=True
        ):
            whole = max((-(-side // stride) - 1) * stride + dilation * (size - 1) + 1 - side, 0)
            small, large = whole // 2, whole - whole // 2
            ends.append((small, large) if auto == "SAME_UPPER" else (large, small))
        pads = (ends[0][0], ends[1][0], ends[0][1], ends[1][1])
    return Window(
        kernel=(int(kernel[0]), int(kernel[1])),
        strides=(int(strides[0]), int(strides[1])),
        pads=(int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3])),
        dilations=(int(dilations[0]), int(dilations[1])),
    )


def _attributes(node: Any) -> dict[str, Any]:  # noqa: ANN401 - onnx ships no types
    from onnx import helper

    return {x.name: helper.get_attribute_value(x) for x in node.attribute}


def _zero(constants: Any, node: Any, place: int) -> tuple[int, bool]:  # noqa: ANN401
    """Return a zero point as a signed one, and whether the file stores it unsigned."""
    name = node.input[place] if place < len(node.input) else ""
    if not name:
        return -128, True  # the standard's default is an unsigned 0
    value = constants[name]
    unsigned = value.dtype == np.uint8
    return int(value.reshape(-1)[0]) - (128 if unsigned else 0), unsigned


def _fixed(model: Any, tensor: str, name: str) -> Shape:  # noqa: ANN401
    """Return (channels, height, width) of the tensor that is quantised first."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    values = [*inferred.graph.input, *inferred.graph.value_info]
    found = next((x for x in values if x.name == tensor), None)
    dims = [
        d.dim_value if d.HasField("dim_value") else 0
        for d in (found.type.tensor_type.shape.dim if found is not None else ())
    ]
    sides = dims[1:]
    if len(dims) not in (2, 4) or not all(side > 0 for side in sides):
        shown = "(" + ", ".join(str(d) if d else "?" for d in dims) + ")"
        raise InputError(
            Problem(
                code="T-C104",
                message=f"{name}: tensor {tensor!r} has shape {shown}; a design needs "
                "(n, channels, height, width) or (n, values) with all but n fixed.",
                remedy="Export the model with a fixed size of its input.",
            )
        )
    return (sides[0], sides[1], sides[2]) if len(sides) == 3 else (sides[0], 1, 1)


def _unsupported(name: str, node: Any, which: str = "") -> Problem:  # noqa: ANN401
    what = f"{node.op_type} {which}".strip()
    return Problem(
        code="T-C102",
        message=f"{name}: node {node.name or node.output[0]!r} is {what}, which the designs do "
        "not compute.",
        remedy=f"Replace it, or cut the model before it; read are: {', '.join(SUPPORTED)}.",
    )


def _not_quantised(name: str, graph: Any) -> Problem:  # noqa: ANN401
    kinds = sorted({node.op_type for node in graph.node})
    if "DequantizeLinear" in kinds and "QuantizeLinear" in kinds:
        return Problem(
            code="T-C101",
            message=f"{name} is in the QDQ form, whose operators compute in floating point.",
            remedy="Give the model from before its quantisation to `titian accelerator "
            "quantize`, which writes integer operators.",
        )
    return Problem(
        code="T-C101",
        message=f"{name} is not quantised: it holds {', '.join(kinds[:6])} and no integer "
        "operator.",
        remedy="Run `titian accelerator quantize MODEL.onnx --calibration X.npz --out "
        "M.int8.onnx` first.",
    )
