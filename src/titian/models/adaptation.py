"""Put a foreign graph into the form of Titian's own: one way in, probabilities out.

Nodes are added in front and behind; none of the graph's own is changed. In front: cast,
value range, gray to three channels, channels last. Behind: flatten, activation, the
second column of a single score, and the classes' order. A fixed height, width or batch
stays as it is and is stated in the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem
from titian.models.card import Card

#: Before this version of the standard, arithmetic did not broadcast.
OLDEST_OPSET = 7

ACTIVATIONS = ("none", "softmax", "sigmoid")

_PREFIX = "titian_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a foreign graph.

    Attributes:
        name: in the graph.
        kind: element type, a number of ``onnx.TensorProto``.
        shape: one length per axis, None where it is free.
    """

    name: str
    kind: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """How a foreign graph is entered and left.

    Attributes:
        entry: its one input that is no weight.
        exit: the output that holds the scores.
        channels: 1 or 3 for images; 0 for tables.
        channels_last: the axes are (n, h, w, c).
        size: (height, width) where both are fixed.
        batch: cases per call where that is fixed.
        operator: what computes the output, shapes aside: ``Softmax``, ``Gemm``, ...
    """

    entry: Port
    exit: Port
    channels: int
    channels_last: bool
    size: tuple[int, int] | None
    batch: int | None
    operator: str


def find_ports(model: Any, *, images: bool, output: str = "", name: str) -> Ports:  # noqa: ANN401
    """Find the input and the output of a foreign ``onnx.ModelProto``.

    Args:
        model: inspected.
        images: the project holds images; otherwise a table of numbers.
        output: name of the output that holds the scores; empty takes the first one of
            floating-point numbers.
        name: how messages name the file.

    Raises:
        InputError: T-M006 odd inputs, T-M008 odd outputs; both are raised together.
    """
    problems: list[Problem] = []
    weights = {tensor.name for tensor in model.graph.initializer}
    entries = [_port(v) for v in model.graph.input if v.name not in weights]
    channels, last, entry = 0, False, entries[0] if entries else None
    if entry is None or len(entries) > 1:
        shown = ", ".join(repr(port.name) for port in entries) or "none"
        problems.append(_input(name, f"has {len(entries)} inputs ({shown}); it must have one"))
    elif entry.kind not in _floating():
        problems.append(
            _input(name, f"input {entry.name!r} does not hold floating-point numbers")
        )
    elif images:
        channels, last = _channels(entry.shape)
        if not channels:
            problems.append(
                _input(
                    name,
                    f"input {entry.name!r} has shape {_shown(entry.shape)}; images are "
                    "(n, c, h, w) or (n, h, w, c) with c 1 or 3, and h and w both fixed or "
                    "both free",
                )
            )
    elif len(entry.shape) != 2:
        problems.append(
            _input(
                name, f"input {entry.name!r} has shape {_shown(entry.shape)}; a table is (n, p)"
            )
        )
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        problems.append(_input(name, f"has opset {opset}; {OLDEST_OPSET} or later is read"))
    exits = [_port(value) for value in model.graph.output]
    usable = [
        port
        for port in exits
        if port.kind in _floating() and (not output or port.name == output)
    ]
    if not usable:
        shown = ", ".join(repr(port.name) for port in exits)
        wanted = f"{output!r}" if output else "any"
        problems.append(
            Problem(
                code="T-M008",
                message=(
                    f"{name} has no output of floating-point numbers among {shown} "
                    f"(wanted: {wanted})."
                ),
                remedy="Name the output that holds the scores under model.output.",
            )
        )
    if problems or entry is None:
        raise InputError(*problems)
    axes = (1, 2) if last else (2, 3)
    sides = tuple(entry.shape[axis] for axis in axes) if images else (None, None)
    height, width = sides
    return Ports(
        entry=entry,
        exit=usable[0],
        channels=channels,
        channels_last=last,
        size=None if height is None or width is None else (height, width),
        batch=entry.shape[0],
        operator=_producer(model, usable[0].name),
    )


def adapt(
    model: Any,  # noqa: ANN401 - onnx ships no types
    ports: Ports,
    *,
    value_range: tuple[float, float] = (0.0, 1.0),
    activation: str = "none",
    single: bool = False,
    order: Sequence[int] = (),
) -> Any:  # noqa: ANN401 - onnx ships no types
    """Return a copy with ``image`` or ``numbers`` as input and ``probabilities`` as output.

    Args:
        model: inspected.
        ports: from `find_ports`.
        value_range: what 0 and 1 of an image become.
        activation: one of `ACTIVATIONS`, put behind the scores.
        single: the graph answers one score a case, that of the last class.
        order: places of the classes in the graph's output; empty keeps them.
    """
    from onnx import TensorProto, helper, numpy_helper

    copy = type(model)()
    copy.CopyFrom(model)
    graph = copy.graph
    front: list[Any] = []
    behind: list[Any] = []

    def constant(into: list[Any], values: npt.NDArray[Any]) -> str:
        name = f"{_PREFIX}constant_{len(front)}_{len(behind)}"
        value = numpy_helper.from_array(values, name)
        into.append(helper.make_node("Constant", [], [name], name=name, value=value))
        return name

    def step(into: list[Any], operator: str, sources: list[str], **attributes: Any) -> str:  # noqa: ANN401
        name = f"{_PREFIX}{operator.lower()}_{len(front)}_{len(behind)}"
        into.append(helper.make_node(operator, sources, [name], name=name, **attributes))
        return name

    entry = "image" if ports.channels else "numbers"
    value = entry
    inner, left = f"{_PREFIX}entry", f"{_PREFIX}exit"
    _rename(graph, ports.entry.name, inner)
    _rename(graph, ports.exit.name, left)
    for name in (entry, "probabilities"):
        _rename(graph, name, f"{_PREFIX}inner_{name}")
    low, high = value_range
    if ports.channels and (low, high) != (0.0, 1.0):
        width = constant(front, np.asarray(high - low, np.float32))
        value = step(front, "Mul", [value, width])
        value = step(front, "Add", [value, constant(front, np.asarray(low, np.float32))])
    if ports.channels == 3:
        value = step(front, "Concat", [value] * 3, axis=1)
    if ports.channels_last:
        value = step(front, "Transpose", [value], perm=[0, 2, 3, 1])
    if ports.entry.kind != TensorProto.FLOAT:
        value = step(front, "Cast", [value], to=ports.entry.kind)
    front.append(helper.make_node("Identity", [value], [inner], name=f"{_PREFIX}enter"))
    value = left
    if ports.exit.kind != TensorProto.FLOAT:
        value = step(behind, "Cast", [value], to=TensorProto.FLOAT)
    if single:
        shape = constant(behind, np.asarray([-1, 1], np.int64))
        value = step(behind, "Reshape", [value, shape])
    elif len(ports.exit.shape) != 2:
        value = step(behind, "Flatten", [value], axis=1)
    if activation == "softmax":
        value = step(behind, "Softmax", [value], axis=1)
    elif activation == "sigmoid":
        value = step(behind, "Sigmoid", [value])
    if single:
        one = constant(behind, np.asarray(1.0, np.float32))
        value = step(behind, "Concat", [step(behind, "Sub", [one, value]), value], axis=1)
    if list(order) != sorted(order):
        value = step(
            behind, "Gather", [value, constant(behind, np.asarray(order, np.int64))], axis=1
        )
    behind.append(
        helper.make_node("Identity", [value], ["probabilities"], name=f"{_PREFIX}leave")
    )
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*front, *own, *behind])
    weights = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name in weights]
    del graph.input[:], graph.output[:]
    batch = ports.batch or "n"
    dims: list[int | str] = [batch, ports.entry.shape[1] or "p"]
    if ports.channels:
        dims = [batch, 1, *(ports.size or ("h", "w"))]
    graph.input.extend([helper.make_tensor_value_info(entry, TensorProto.FLOAT, dims), *kept])
    graph.output.append(
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, "k"])
    )
    return copy


def card_of(ports: Ports, **stated: Any) -> Card:  # noqa: ANN401 - the card's own fields
    """Return a card with what the ports tell."""
    return Card(
        input="image" if ports.channels else "table",
        size=ports.size,
        batch=ports.batch,
        recipe="vendor",
        **stated,
    )


def _port(value: Any) -> Port:  # noqa: ANN401 - onnx ships no types
    tensor = value.type.tensor_type
    shape = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    )
    return Port(name=value.name, kind=int(tensor.elem_type), shape=shape)


def _floating() -> frozenset[int]:
    from onnx import TensorProto

    return frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE})


def _channels(shape: tuple[int | None, ...]) -> tuple[int, bool]:
    """Return (channels, channels last); 0 channels where the shape is not one of images."""
    if len(shape) != 4:
        return 0, False
    for channels, sides, last in ((shape[1], shape[2:], False), (shape[3], shape[1:3], True)):
        if channels in (1, 3) and (None in sides) == (sides == (None, None)):
            return channels, last
    return 0, False


def _producer(model: Any, name: str) -> str:  # noqa: ANN401 - onnx ships no types
    made_by = {output: node for node in model.graph.node for output in node.output}
    while name in made_by:
        node = made_by[name]
        passing = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Dropout")
        if node.op_type not in passing:
            return str(node.op_type)
        name = node.input[0]
    return ""


def _rename(graph: Any, old: str, new: str) -> None:  # noqa: ANN401 - onnx ships no types
    """Rename a value in a graph and in the graphs inside its operators."""
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        if value.name == old:
            value.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)
            for inner in attribute.graphs:
                _rename(inner, old, new)


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if length is None else str(length) for length in shape) + ")"


def _input(name: str, what: str) -> Problem:
    return Problem(
        code="T-M006",
        message=f"{name} {what}.",
        remedy="Export the model with one input of images or of numeric columns.",
    )
