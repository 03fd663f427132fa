"""An ONNX graph as a differentiable torch function.

Nodes run in the graph's order; what depends on no input is computed once. A softmax or
sigmoid at the very end is left off where asked: the classes keep their order, and losses are
computed on logits that do not round to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from titian.validation.robustness.operators import OPERATORS, Tensor, Untranslatable

LAST: Final = ("Softmax", "LogSoftmax", "Sigmoid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A translated graph.

    Attributes:
        run: input -> the graph's output, unchanged.
        logits: input -> what enters the last softmax or sigmoid; the output without one.
        last: that operator, or an empty string.
    """

    run: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor]
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    operator: str
    attributes: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def translate(model: Any, *, source: str, target: str) -> Translation:  # noqa: ANN401
    """Translate an inspected ``onnx.ModelProto``.

    Args:
        model: with its weights inside.
        source: name of the one input.
        target: name of the output.

    Raises:
        Untranslatable: an operator or an attribute is not in the table.
    """
    from onnx import inliner

    if len(model.functions):
        model = inliner.inline_local_functions(model)
    opset = max(
        (o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1
    )
    known = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
    if len(model.graph.sparse_initializer):
        raise Untranslatable("a sparse weight")
    lacking = sorted({_missing(node) for node in model.graph.node} - {""})
    if lacking:
        raise Untranslatable("operator " + ", ".join(lacking[:5]))
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Constant":
            known[node.output[0]] = _constant(node)
            continue
        made = _Node(
            operator=node.op_type,
            attributes=_attributes(node) | {"opset": opset, "outputs": len(node.output)},
            inputs=tuple(node.input),
            outputs=tuple(node.output),
        )
        if all(name in known or not name for name in made.inputs):
            _step(made, known)
        else:
            nodes.append(made)
    used = _needed(nodes, target)
    before, last = _before_last(used, target)
    return Translation(
        run=_runner(used, known, source, target),
        logits=_runner(_needed(used, before), known, source, before),
        last=last,
    )


def _runner(
    nodes: Sequence[_Node], known: dict[str, Tensor], source: str, target: str
) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        held = dict(known)
        held[source] = x
        for node in nodes:
            _step(node, held)
        return held[target]

    return run


def _step(node: _Node, held: dict[str, Tensor]) -> None:
    inputs = [held[name] if name else None for name in node.inputs]
    found = OPERATORS[node.operator](node.attributes, inputs)
    several = found if isinstance(found, tuple) else (found,)
    held.update(zip(node.outputs, several, strict=False))


def _needed(nodes: Sequence[_Node], target: str) -> list[_Node]:
    wanted, kept = {target}, []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _before_last(nodes: Sequence[_Node], target: str) -> tuple[str, str]:
    makers = {name: node for node in nodes for name in node.outputs}
    at = target
    while at in makers and makers[at].operator == "Identity":
        at = makers[at].inputs[0]
    node = makers.get(at)
    if node is None or node.operator not in LAST:
        return target, ""
    axis = node.attributes.get("axis", 1 if node.attributes["opset"] < 13 else -1)
    if node.operator != "Sigmoid" and axis not in (1, -1):
        return target, ""
    return node.inputs[0], node.operator


def _missing(node: Any) -> str:  # noqa: ANN401 - onnx ships no types
    if node.domain not in ("", "ai.onnx"):
        return f"{node.domain}.{node.op_type}"
    known = node.op_type in OPERATORS or node.op_type == "Constant"
    extra = len([o for o in node.output if o]) > 1 and node.op_type != "Split"
    return str(node.op_type) if not known else f"{node.op_type} of two outputs" if extra else ""


def _tensor(proto: Any) -> Tensor:  # noqa: ANN401 - onnx ships no types
    import numpy as np
    import torch
    from onnx import numpy_helper

    array = np.array(numpy_helper.to_array(proto))
    if array.dtype.kind not in "fiub":
        raise Untranslatable(f"weight {proto.name!r} of type {array.dtype}")
    return torch.from_numpy(array)


def _attributes(node: Any) -> dict[str, Any]:  # noqa: ANN401 - onnx ships no types
    from onnx import TensorProto, helper

    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        found[attribute.name] = _tensor(value) if isinstance(value, TensorProto) else value
    return found


def _constant(node: Any) -> Tensor:  # noqa: ANN401 - onnx ships no types
    import torch

    held = _attributes(node)
    for name, value in held.items():
        if name == "value":
            return value
        if name in ("value_float", "value_floats"):
            return torch.tensor(value, dtype=torch.float32)
        if name in ("value_int", "value_ints"):
            return torch.tensor(value, dtype=torch.int64)
    raise Untranslatable("a Constant of texts or sparse values")
