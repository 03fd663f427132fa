"""Operations and parameters of each layer, counted from an ONNX graph's shapes.

A multiplication followed by an addition counts as two operations, as is usual for FLOPs; for
int8 layers the same number are integer operations. What only moves data counts as none. An
operator that is in no table below is *named*, and the total says that it lacks it: a count
that silently left a layer out would be a number about another model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the graph.

    Attributes:
        name: of the node, or of its first output.
        operator: such as ``Conv``.
        operations: for one call; None where they are not known.
        parameters: weights that this layer is the first to read, and those of the graphs
            within it (the branches of an ``If``).
        output: shape of the first output; None where it is not known.
    """

    name: str
    operator: str
    operations: int | None
    parameters: int
    output: Shape | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a model computes at one input.

    Attributes:
        layers: in the order of the graph, without those that only hold constants.
        operations: of the layers whose operations are known.
        parameters: of the graph.
        size_bytes: of the file.
        unknown: (operator, how many, why) of the layers that the sum lacks.
    """

    layers: tuple[Layer, ...]
    operations: int
    parameters: int
    size_bytes: int
    unknown: tuple[tuple[str, int, str], ...]

    @property
    def complete(self) -> bool:
        """Whether the sum lacks nothing."""
        return not self.unknown


def _each(operations: int, names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), operations)


_PER_OUTPUT: Mapping[str, int] = (
    _each(1, "Abs Add And BitShift Ceil Clip Cos CumSum Div Equal Erf Exp Floor Greater")
    | _each(1, "GreaterOrEqual Hardmax IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean")
    | _each(1, "Min Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Sign Sin Sqrt Sub Sum")
    | _each(1, "Tan Tanh Atan ThresholdedRelu Where Xor")
    | _each(2, "BatchNormalization DequantizeLinear QuantizeLinear Softplus")
    | _each(3, "Sigmoid HardSigmoid Elu Selu Celu Softsign Softmax LpNormalization")
    | _each(4, "HardSwish Swish LogSoftmax DynamicQuantizeLinear RMSNormalization")
    | _each(5, "Mish Gelu LRN MeanVarianceNormalization")
    | _each(6, "InstanceNormalization LayerNormalization GroupNormalization")
)
"""Operations for each number of the first output: one for each arithmetic step."""

_PER_INPUT: Mapping[str, int] = (
    _each(1, "GlobalAveragePool GlobalMaxPool ReduceMax ReduceMean ReduceMin ReduceProd")
    | _each(1, "ReduceSum ArgMax ArgMin")
    | _each(2, "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum GlobalLpPool Scaler Normalizer")
    | _each(3, "ReduceLogSumExp")
)
"""Operations for each number of the first input."""

_NONE = frozenset(
    _each(
        0, "Cast CastLike Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike"
    )
    | _each(0, "Flatten Identity NonZero OneHot Pad Range Reshape ReverseSequence Shape Size")
    | _each(0, "Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze")
    | _each(0, "ArrayFeatureExtractor FeatureVectorizer LabelEncoder ZipMap")
)
"""Operators that only move, choose or name numbers; so do those of `_MOVING`."""

_MOVING = ("Gather", "Scatter")


def count_work(
    model: Any,  # noqa: ANN401 - onnx ships no types
    shapes: Mapping[str, Shape],
    *,
    size_bytes: int,
    seen: Mapping[str, Shape] | None = None,
) -> Work:
    """Count the operations and parameters of each layer.

    Args:
        model: an inspected ``onnx.ModelProto``.
        shapes: of each input.
        size_bytes: of the file.
        seen: shapes that a run showed (`observe_shapes`), where inference found none.
    """
    graph = _with_shapes(model, shapes)
    known = {**(seen or {}), **_known_shapes(graph)}
    weights = _weights(graph)
    read: set[str] = set()
    layers: list[Layer] = []
    lacking: Counter[tuple[str, str]] = Counter()
    for node in graph.node:
        mine = [name for name in node.input if name in weights and name not in read]
        read.update(mine)
        if node.op_type == "Constant":
            continue
        operations, why = _operations(node, known)
        if operations is None:
            lacking[node.op_type, why] += 1
        layers.append(
            Layer(
                name=node.name or (node.output[0] if node.output else ""),
                operator=node.op_type,
                operations=operations,
                parameters=sum(weights[name] for name in dict.fromkeys(mine)) + _inside(node),
                output=known.get(node.output[0]) if node.output else None,
            )
        )
    return Work(
        layers=tuple(layers),
        operations=sum(layer.operations or 0 for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        size_bytes=size_bytes,
        unknown=tuple((name, n, why) for (name, why), n in sorted(lacking.items())),
    )


def observe_shapes(model: Any, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, Shape]:  # noqa: ANN401
    """Run a model once, unoptimised, and return the shape of every array in it.

    Shape inference stops at operators whose output's shape hangs on values.

    Args:
        model: an inspected ``onnx.ModelProto``.
        feed: its input.

    Returns:
        Name of each output of a node -> shape; empty where that run fails.
    """
    import onnx
    import onnxruntime

    copy = type(model)()
    copy.CopyFrom(model)
    there = {port.name for port in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in there:
                copy.graph.output.append(onnx.ValueInfoProto(name=name))
                there.add(name)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            copy.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        found = session.run(None, dict(feed))
    except Exception:  # noqa: BLE001 - onnxruntime has no common base; counts stay unknown
        return {}
    return {
        port.name: tuple(value.shape)
        for port, value in zip(session.get_outputs(), found, strict=True)
        if isinstance(value, np.ndarray)
    }


def _with_shapes(model: Any, shapes: Mapping[str, Shape]) -> Any:  # noqa: ANN401
    import onnx

    copy = type(model)()
    copy.CopyFrom(model)
    for port in copy.graph.input:
        if port.name in shapes:
            dims = port.type.tensor_type.shape.dim
            for dim, size in zip(dims, shapes[port.name], strict=False):
                dim.ClearField("dim_param")
                dim.dim_value = size
    # What the exporter noted for another batch would contradict what is inferred here.
    del copy.graph.value_info[:]
    for port in copy.graph.output:
        for dim in port.type.tensor_type.shape.dim:
            dim.Clear()
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return copy.graph


def _known_shapes(graph: Any) -> dict[str, Shape]:  # noqa: ANN401
    known: dict[str, Shape] = {}
    for tensor in graph.initializer:
        known[tensor.name] = tuple(tensor.dims)
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            dims = kind.shape.dim
            if all(dim.HasField("dim_value") for dim in dims):
                known[value.name] = tuple(dim.dim_value for dim in dims)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                known[node.output[0]] = tuple(attribute.t.dims)
    return known


def _weights(graph: Any) -> dict[str, int]:  # noqa: ANN401
    """Return the learned numbers that each initializer or constant holds."""
    import onnx

    kinds = onnx.TensorProto
    learned = {kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE, kinds.INT8}
    learned |= {kinds.UINT8}
    # Biases of int8 layers are int32; so are a few indices, which nothing dequantizes.
    biases = {
        name
        for node in graph.node
        if node.op_type in ("DequantizeLinear", "QLinearConv")
        for name in node.input
    }
    held: dict[str, int] = {}
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    tensors += [
        (node.output[0], attribute.t)
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.HasField("t")
    ]
    for name, tensor in tensors:
        wanted = tensor.data_type in learned
        if wanted or (tensor.data_type == kinds.INT32 and name in biases):
            held[name] = math.prod(tensor.dims)
    return held


def _inside(node: Any) -> int:  # noqa: ANN401
    within = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    within += [graph for attribute in node.attribute for graph in attribute.graphs]
    return sum(
        sum(_weights(graph).values()) + sum(_inside(inner) for inner in graph.node)
        for graph in within
    )


def _operations(node: Any, known: Mapping[str, Shape]) -> tuple[int | None, str]:  # noqa: ANN401
    operator = node.op_type
    if node.domain not in ("", "ai.onnx", "ai.onnx.ml"):
        return None, "the operator is not counted"
    if operator in _NONE or operator.startswith(_MOVING):
        return 0, ""
    count = _COUNTED.get(operator)
    if operator in _PER_OUTPUT:
        shape, each = known.get(node.output[0]), _PER_OUTPUT[operator]
        return (None, "its shape is not known") if shape is None else (each * _size(shape), "")
    if operator in _PER_INPUT:
        shape, each = known.get(node.input[0]), _PER_INPUT[operator]
        return (None, "its shape is not known") if shape is None else (each * _size(shape), "")
    if count is None:
        return None, "the operator is not counted"
    sources = [known.get(name) for name in node.input]
    target = known.get(node.output[0])
    try:
        return count(node, sources, target), ""
    except (TypeError, IndexError, KeyError):
        return None, "its shape is not known"


Sources: TypeAlias = "list[Shape | None]"


def _size(shape: Shape | None) -> int:
    if shape is None:
        raise TypeError("the shape is not known")
    return math.prod(shape)


def _shape(shape: Shape | None) -> Shape:
    if shape is None:
        raise TypeError("the shape is not known")
    return shape


def _attribute(node: Any, name: str, default: Any) -> Any:  # noqa: ANN401
    import onnx

    for attribute in node.attribute:
        if attribute.name == name:
            value = onnx.helper.get_attribute_value(attribute)
            return value.decode() if isinstance(value, bytes) else value
    return default


def _conv(node: Any, sources: Sources, target: Shape | None, *, weight: int = 1) -> int:  # noqa: ANN401
    _, inner, *kernel = _shape(sources[weight])
    bias = {1: 2, 3: 8}[weight]  # places in Conv and in QLinearConv
    biased = len(node.input) > bias and bool(node.input[bias])
    return _size(target) * (2 * inner * math.prod(kernel) + int(biased))


def _conv_transpose(node: Any, sources: Sources, target: Shape | None) -> int:  # noqa: ANN401
    _, per_group, *kernel = _shape(sources[1])
    spread = 2 * _size(sources[0]) * per_group * math.prod(kernel)
    return spread + (_size(target) if len(node.input) > 2 and node.input[2] else 0)


def _gemm(node: Any, sources: Sources, target: Shape | None) -> int:  # noqa: ANN401
    inner = _shape(sources[0])[0 if _attribute(node, "transA", 0) else 1]
    bias = len(node.input) > 2 and bool(node.input[2])
    return _size(target) * (2 * inner + int(bias))


def _matmul(_node: Any, sources: Sources, target: Shape | None) -> int:  # noqa: ANN401
    return 2 * _size(target) * _shape(sources[0])[-1]


def _pool(node: Any, _sources: Sources, target: Shape | None) -> int:  # noqa: ANN401
    kernel: list[int] = _attribute(node, "kernel_shape", [])
    return _size(target) * math.prod(kernel)


_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _recurrent(node: Any, sources: Sources, _target: Shape | None) -> int:  # noqa: ANN401
    steps, batch, width = _shape(sources[0])
    ways, _, hidden = _shape(sources[2])
    return 2 * steps * batch * ways * _GATES[node.op_type] * hidden * (width + hidden)


def _einsum(node: Any, sources: Sources, _target: Shape | None) -> int:  # noqa: ANN401
    terms = str(_attribute(node, "equation", "")).partition("->")[0].replace(" ", "").split(",")
    sizes: dict[str, int] = {}
    for term, source in zip(terms, sources, strict=True):
        if "." in term or len(term) != len(_shape(source)):
            raise KeyError(term)
        sizes |= dict(zip(term, _shape(source), strict=True))
    return len(terms) * math.prod(sizes.values())


def _resize(node: Any, sources: Sources, target: Shape | None) -> int:  # noqa: ANN401
    taps = {"nearest": 0, "linear": 2, "bilinear": 2, "cubic": 4}[
        _attribute(node, "mode", "nearest")
    ]
    before, after = _shape(sources[0]), _shape(target)
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    return int(2 * _size(target) * taps**moved) if taps else 0


def _linear(node: Any, sources: Sources, _target: Shape | None) -> int:  # noqa: ANN401
    return 2 * _shape(sources[0])[0] * len(_attribute(node, "coefficients", ()))


def _topk(_node: Any, sources: Sources, _target: Shape | None) -> int:  # noqa: ANN401
    size = _size(sources[0])
    return round(size * float(np.log2(max(size, 2))))


_COUNTED: Mapping[str, Callable[[Any, Sources, Shape | None], int]] = {
    "Conv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": lambda node, sources, target: _conv(node, sources, target, weight=3),
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "AveragePool": _pool,
    "MaxPool": _pool,
    "LpPool": _pool,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Einsum": _einsum,
    "Resize": _resize,
    "Upsample": _resize,
    "LinearClassifier": _linear,
    "LinearRegressor": _linear,
    "TopK": _topk,
}
