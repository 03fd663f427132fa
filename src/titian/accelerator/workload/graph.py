"""The work of an ONNX model: products for the array, vector work, and what stays behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from titian.accelerator.workload.layers import Elsewhere, Image, Layer, VectorWork, Workload
from titian.accelerator.workload.shapes import Shape, fix_shapes, read_model
from titian.errors import InputError, Problem


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FREE: Final = _words(
    "Cast CastLike Concat Constant ConstantOfShape DepthToSpace DequantizeLinear Dropout "
    "Expand Flatten Gather Identity Pad QLinearConcat QuantizeLinear Range Reshape Shape Size "
    "Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze"
)
"""Data movement, and the change of scale that the requantiser does on the way out."""

ELEMENTWISE: Final = _words(
    "Abs Add And BatchNormalization BiasGelu Ceil Clip Div Elu Equal Erf Exp FastGelu Floor "
    "Gelu Greater HardSigmoid HardSwish LeakyRelu Less Log Max Mean Min Mish Mul Neg Not Or "
    "PRelu Pow QLinearAdd QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearWhere QuickGelu "
    "Reciprocal Relu Round Selu Sigmoid Sign Softplus Sqrt Sub Sum Swish Tanh Where"
)
"""One operation for each number written; functions of one int8 number are tables of 256."""

POOLING: Final = _words("AveragePool LpPool MaxPool QLinearAveragePool")
REDUCTIONS: Final = _words(
    "GlobalAveragePool GlobalMaxPool QLinearGlobalAveragePool QLinearReduceMean ReduceMax "
    "ReduceMean ReduceMin ReduceSum"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """One node with the shapes around it; asking for an unknown one raises `LookupError`."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    known: Mapping[str, Shape]

    def source(self, place: int) -> Shape:
        return self.known[self.inputs[place]]

    def target(self) -> Shape:
        return self.known[self.outputs[0]]

    def given(self, place: int) -> bool:
        return place < len(self.inputs) and bool(self.inputs[place])


def read_workload(path: Path, shapes: Mapping[str, Shape] | None = None) -> Workload:
    """Read the work of an ONNX file: float, QDQ or QOperator.

    Args:
        path: of the model.
        shapes: of inputs with free axes.

    Raises:
        InputError: T-M001, T-M002; T-C013, T-C014 about the inputs' shapes; T-C015 a product
            whose shape cannot be inferred; T-C016 nothing for the array to do.
    """
    graph, known = fix_shapes(read_model(path), shapes or {}, name=path.name)
    layers: list[Layer] = []
    vector: list[VectorWork] = []
    elsewhere: list[Elsewhere] = []
    problems: list[Problem] = []
    constant = {tensor.name for tensor in graph.initializer}
    for place, raw in enumerate(graph.node):
        node = _node(raw, place, known)
        if all(name in constant for name in node.inputs if name) and not _drawn(node):
            # Computed once from weights: the compiler's work, not the chip's.
            constant.update(node.outputs)
        elif node.operator in PRODUCTS:
            try:
                layers += PRODUCTS[node.operator](node)
            except (LookupError, ValueError):
                problems.append(_unknown_shape(node, path.name))
        elif node.operator not in FREE:
            work = _vector(node)
            if isinstance(work, VectorWork):
                vector.append(work)
            else:
                elsewhere.append(work)
    if problems:
        raise InputError(*problems)
    if not layers:
        raise InputError(
            Problem(
                code="T-C016",
                message=f"{path.name} holds no convolution and no matrix product.",
                remedy="Give a model with Conv, Gemm or MatMul.",
            )
        )
    return Workload(
        name=path.name,
        layers=_distinct(layers),
        vector=tuple(vector),
        elsewhere=tuple(elsewhere),
    )


def _node(raw: Any, place: int, known: Mapping[str, Shape]) -> _Node:  # noqa: ANN401
    import onnx

    return _Node(
        name=raw.name or (raw.output[0] if raw.output else f"{raw.op_type}_{place}"),
        operator=raw.op_type,
        inputs=tuple(raw.input),
        outputs=tuple(raw.output),
        attributes={
            item.name: onnx.helper.get_attribute_value(item)
            for item in raw.attribute
            if item.type not in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        },
        known=known,
    )


def _distinct(layers: list[Layer]) -> tuple[Layer, ...]:
    seen: dict[str, int] = {}
    named = []
    for layer in layers:
        count = seen[layer.name] = seen.get(layer.name, 0) + 1
        named.append(layer if count == 1 else replace(layer, name=f"{layer.name}#{count}"))
    return tuple(named)


def _drawn(node: _Node) -> bool:
    """Tell whether a node without inputs makes new numbers at each call."""
    return node.operator.startswith("Random")


# Vector work -------------------------------------------------------------------------------


def _vector(node: _Node) -> VectorWork | Elsewhere:
    try:
        operations = _operations(node)
    except LookupError:
        operations = None
    if operations is not None and node.operator in ELEMENTWISE | POOLING | REDUCTIONS:
        return VectorWork(name=node.name, operator=node.operator, operations=operations)
    reason = (
        "its shape is not known"
        if node.operator in ELEMENTWISE | POOLING | REDUCTIONS
        else "the operator is not supported"
    )
    return Elsewhere(
        name=node.name, operator=node.operator, operations=operations, reason=reason
    )


def _operations(node: _Node) -> int:
    if node.operator in REDUCTIONS:
        return math.prod(node.source(0))
    window = math.prod(node.attributes["kernel_shape"]) if node.operator in POOLING else 1
    return math.prod(node.target()) * window


# Products ----------------------------------------------------------------------------------


def _convolution(node: _Node, weight: int = 1) -> list[Layer]:
    source, kernel, target = node.source(0), node.source(weight), node.target()
    groups = int(node.attributes.get("group", 1))
    filters, inner, *window = kernel
    batch, channels, *_ = source
    if not groups or channels != inner * groups or filters % groups:
        raise ValueError
    return [
        Layer(
            name=node.name,
            operator=node.operator,
            m=batch * math.prod(target[2:]),
            k=inner * math.prod(window),
            n=filters // groups,
            repeat=groups,
            inputs=math.prod(source),
            weights=math.prod(kernel),
            image=_image(node, source, kernel, groups),
        )
    ]


def _image(node: _Node, source: Shape, kernel: Shape, groups: int) -> Image | None:
    if groups == 1 or kernel[1] != 1 or kernel[0] != groups or len(kernel) != 4:
        return None
    strides = node.attributes.get("strides", [1, 1])
    dilations = node.attributes.get("dilations", [1, 1])
    if kernel[2] != kernel[3] or strides[0] != strides[1] or set(dilations) != {1}:
        return None
    height, width = (
        _padded(source[axis + 2], node.target()[axis + 2], kernel[2], strides[0])
        for axis in (0, 1)
    )
    return Image(
        height=height,
        width=width,
        channels=source[1],
        kernel=kernel[2],
        stride=strides[0],
        batch=source[0],
    )


def _padded(length: int, steps: int, kernel: int, stride: int) -> int:
    # What the windows cover, whatever padding the exporter wrote down.
    return max((steps - 1) * stride + kernel, length)


def _transposed_convolution(node: _Node) -> list[Layer]:
    source, kernel = node.source(0), node.source(1)
    groups = int(node.attributes.get("group", 1))
    return [
        Layer(
            name=node.name,
            operator=node.operator,
            m=source[0] * math.prod(source[2:]),
            k=source[1] // groups,
            n=math.prod(kernel[1:]),
            repeat=groups,
            inputs=math.prod(source),
            weights=math.prod(kernel),
        )
    ]


def _gemm(node: _Node, right: int = 1) -> list[Layer]:
    a, b = node.source(0), node.source(right)
    m, k = reversed(a) if node.attributes.get("transA") else a
    inner, n = reversed(b) if node.attributes.get("transB") else b
    if k != inner:
        raise ValueError
    return [_product(node, m, k, n)]


def _matmul(node: _Node, right: int = 1) -> list[Layer]:
    a, b = list(node.source(0)), list(node.source(right))
    if node.attributes.get("transA") and len(a) > 1:
        a[-2:] = reversed(a[-2:])
    if node.attributes.get("transB") and len(b) > 1:
        b[-2:] = reversed(b[-2:])
    m, k = ([1, *a] if len(a) == 1 else a)[-2:]
    n = b[-1] if len(b) > 1 else 1
    if (b[-2] if len(b) > 1 else b[0]) != k:
        raise ValueError
    if math.prod(b[:-2]) == 1:
        # One right-hand side for all: the left's batch only lengthens it.
        return [_product(node, math.prod(a[:-2]) * m, k, n)]
    repeat = math.prod(_broadcast(a[:-2], b[:-2]))
    return [_product(node, m, k, n, repeat=repeat, inputs=math.prod(a), weights=math.prod(b))]


def _broadcast(a: list[int], b: list[int]) -> list[int]:
    length = max(len(a), len(b))
    left, right = [1] * (length - len(a)) + a, [1] * (length - len(b)) + b
    return [max(x, y) for x, y in zip(left, right, strict=True)]


def _product(
    node: _Node,
    m: int,
    k: int,
    n: int,
    *,
    repeat: int = 1,
    inputs: int | None = None,
    weights: int | None = None,
    part: str = "",
) -> Layer:
    if min(m, k, n, repeat) < 1:
        raise ValueError
    return Layer(
        name=node.name + part,
        operator=node.operator,
        m=m,
        k=k,
        n=n,
        repeat=repeat,
        inputs=m * k * repeat if inputs is None else inputs,
        weights=k * n * repeat if weights is None else weights,
    )


def _attention(node: _Node) -> list[Layer]:
    """Queries times keys, and weights times values; the softmax between stays elsewhere."""
    q, k, v = node.source(0), node.source(1), node.source(2)
    heads = int(node.attributes.get("q_num_heads", 0))
    shared = int(node.attributes.get("kv_num_heads", heads) or heads)
    if len(q) == 4:
        batch, heads, queries, width = q
        shared, keys, out = k[1], k[2], v[3]
    else:
        batch, queries, whole = q
        keys, width, out = k[1], whole // heads, v[2] // shared
    repeat = batch * heads
    one = batch * shared * keys
    return [
        _product(
            node, queries, width, keys, repeat=repeat, weights=one * width, part="/scores"
        ),
        _product(node, queries, keys, out, repeat=repeat, weights=one * out, part="/values"),
    ]


def _recurrence(gates: int) -> Callable[[_Node], list[Layer]]:
    def layers(node: _Node) -> list[Layer]:
        x, w = node.source(0), node.source(1)
        steps, batch, width = x
        if node.attributes.get("layout"):
            steps, batch = batch, steps
        directions, hidden = w[0], w[1] // gates
        return [
            _product(
                node, steps * batch, width, gates * hidden, repeat=directions, part="/input"
            ),
            _product(
                node,
                batch,
                hidden,
                gates * hidden,
                repeat=directions * steps,
                weights=directions * hidden * gates * hidden,
                part="/recurrent",
            ),
        ]

    return layers


PRODUCTS: Final[Mapping[str, Callable[[_Node], list[Layer]]]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "FusedConv": _convolution,
    "QLinearConv": lambda node: _convolution(node, 3),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "QGemm": lambda node: _gemm(node, 3),
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "FusedMatMul": _matmul,
    "MatMulIntegerToFloat": _matmul,
    "DynamicQuantizeMatMul": _matmul,
    "QLinearMatMul": lambda node: _matmul(node, 3),
    "Attention": _attention,
    "LSTM": _recurrence(4),
    "GRU": _recurrence(3),
    "RNN": _recurrence(1),
}
"""Operators that the array computes."""


def _unknown_shape(node: _Node, name: str) -> Problem:
    return Problem(
        code="T-C015",
        message=(
            f"node {node.name!r} ({node.operator}) of {name}: the shapes around it are not "
            "known, or they contradict each other."
        ),
        remedy="State every input with --shape, or export the model with fixed shapes.",
    )
