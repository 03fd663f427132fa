"""Fixed shapes for every array of an ONNX graph, or a clear no.

Nothing of the model is run. Integer operators of ONNX Runtime's own domain, which quantised
models hold, stand in for standard ones of the same shape while shapes are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from titian.errors import InputError, Problem
from titian.models.inspection import parse_model, read_bytes

Shape: TypeAlias = tuple[int, ...]

QUANTISED_DOMAIN: Final = "com.microsoft"
_STANDARD: Final = frozenset({"", "ai.onnx"})
_FOREIGN_CODES: Final = frozenset({"T-M004", "T-M005"})

_STAND_INS: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearReduceMean": ("ReduceMean", (0,)),
    "QLinearWhere": ("Where", (0, 1, 4)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "FusedMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "Gelu": ("Identity", (0,)),
    "FastGelu": ("Identity", (0,)),
    "BiasGelu": ("Identity", (0,)),
    "QuickGelu": ("Identity", (0,)),
    "QuantizeLinear": ("Identity", (0,)),
    "DequantizeLinear": ("Identity", (0,)),
    "SkipLayerNormalization": ("Identity", (0,)),
}
"""Operator of ONNX Runtime -> a standard one of the same output shape, and its inputs."""
_KEPT_ATTRIBUTES: Final = frozenset(
    {"kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", "ceil_mode"}
    | {"transA", "transB", "axes", "keepdims", "axis"}
)


def read_model(path: Path) -> Any:  # noqa: ANN401 - onnx ships no types
    """Read a model whose shapes are wanted; operators of ONNX Runtime are let through.

    Raises:
        InputError: T-M001 or T-M002, as `titian.models.parse_model`.
    """
    content = read_bytes(path)
    try:
        return parse_model(content, name=path.name)
    except InputError as error:
        if any(problem.code not in _FOREIGN_CODES for problem in error.problems):
            raise
    import onnx

    return onnx.load_model_from_string(content)


def fix_shapes(
    model: Any,  # noqa: ANN401 - onnx ships no types
    stated: Mapping[str, Shape],
    *,
    name: str,
) -> tuple[Any, dict[str, Shape]]:
    """Return the graph, functions written out, and the shape of every array that is known.

    Args:
        model: as read.
        stated: shape of inputs by name, for those with free axes.
        name: how messages name the file.

    Raises:
        InputError: T-C013 an input has free axes that were not stated; T-C014 a stated
            shape names no input or contradicts it.
    """
    import onnx.inliner

    copy = onnx.inliner.inline_local_functions(model) if model.functions else _copy(model)
    weights = {tensor.name for tensor in copy.graph.initializer}
    inputs = {port.name: port for port in copy.graph.input if port.name not in weights}
    problems = [_unknown(key, name, inputs) for key in stated if key not in inputs]
    for key, port in inputs.items():
        problems += _fix(port, key, stated.get(key), name)
    if problems:
        raise InputError(*problems)
    # What the exporter noted for another batch would contradict what is inferred here.
    del copy.graph.value_info[:]
    for port in copy.graph.output:
        for dim in port.type.tensor_type.shape.dim:
            dim.Clear()
    return copy.graph, _infer(copy)


def shape_of_input(port: Any) -> tuple[int | None, ...] | None:  # noqa: ANN401
    """Return one length per axis, None where it is free; None for no tensor of known rank."""
    kind = port.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in kind.shape.dim
    )


def _copy(model: Any) -> Any:  # noqa: ANN401
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _fix(port: Any, key: str, stated: Shape | None, name: str) -> list[Problem]:  # noqa: ANN401
    held = shape_of_input(port)
    if stated is None:
        if held is not None and None not in held:
            return []
        shown = "unknown" if held is None else _shown(held)
        example = ",".join(map(str, _example(held))) if held else "1,3,224,224"
        return [
            Problem(
                code="T-C013",
                message=f"input {key!r} of {name} has shape {shown}; every axis must be fixed.",
                remedy=f"State it, for example --shape {key}={example}.",
            )
        ]
    fits = held is None or (
        len(held) == len(stated)
        and all(old in (None, new) for old, new in zip(held, stated, strict=True))
    )
    if not fits and held is not None:
        return [
            Problem(
                code="T-C014",
                message=(
                    f"--shape {key}={','.join(map(str, stated))} contradicts {name}, where "
                    f"{key!r} has shape {_shown(held)}."
                ),
                remedy="State a shape that agrees in every fixed axis.",
            )
        ]
    dims = port.type.tensor_type.shape.dim
    del dims[:]
    for size in stated:
        dims.add().dim_value = size
    return []


def _example(held: tuple[int | None, ...]) -> list[int]:
    """Return a likely shape: one case, and pictures of 224 x 224."""
    pictures = len(held) == 4
    return [size or (224 if pictures and axis > 0 else 1) for axis, size in enumerate(held)]


def _unknown(key: str, name: str, inputs: Mapping[str, Any]) -> Problem:
    return Problem(
        code="T-C014",
        message=f"{name} has no input {key!r}; it has {', '.join(map(repr, inputs))}.",
        remedy="Name one of its inputs.",
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("free" if size is None else str(size) for size in shape) + ")"


def _infer(model: Any) -> dict[str, Shape]:  # noqa: ANN401
    import onnx

    stand_in = _copy(model)
    for node in stand_in.graph.node:
        if node.domain == QUANTISED_DOMAIN and node.op_type in _STAND_INS:
            _replace(node)
    try:
        graph = onnx.shape_inference.infer_shapes(stand_in, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        graph = stand_in.graph
    known = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = shape_of_input(value)
        if shape is not None and None not in shape:
            known[value.name] = tuple(size for size in shape if size is not None)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                known[node.output[0]] = tuple(attribute.t.dims)
    return known


def _replace(node: Any) -> None:  # noqa: ANN401
    operator, places = _STAND_INS[node.op_type]
    sources = [node.input[place] for place in places if place < len(node.input)]
    kept = [attribute for attribute in node.attribute if attribute.name in _KEPT_ATTRIBUTES]
    node.op_type, node.domain = operator, ""
    del node.input[:], node.output[1:], node.attribute[:]
    node.input.extend(sources)
    node.attribute.extend(kept)
