"""Find the part of a floating-point model that integer operators can take over.

The part reaches from the first product with fixed weights (convolution, Gemm, MatMul) to the
last one and what can be folded into it; operators in front of it and behind it stay with the
host. Everything within must have an integer form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Identity", "Dropout"})
POOLS = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean"})
CLIPS = frozenset({"Relu", "Clip"})
SUPPORTED = ("Conv", "Gemm", "MatMul", "Relu", "Clip", "MaxPool", "AveragePool",
             "GlobalAveragePool", "ReduceMean", "Flatten", "Reshape", "Add")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One integer layer to be: a node with what is folded into it.

    Attributes:
        node: the product or pool.
        source: float tensor that enters.
        result: float tensor that leaves, behind the folded nodes.
        bias: constant added by a folded ``Add``, or None.
        clipped: a folded Relu or Clip cuts at 0.
    """

    node: Any
    source: str
    result: str
    bias: npt.NDArray[Any] | None = None
    clipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """The part that becomes integer.

    Attributes:
        steps: in order; each reads the entry or the result of an earlier one.
        entry: float tensor that enters.
        exit: float tensor that leaves.
        before: nodes that stay in front.
        after: nodes that stay behind.
        alias: tensors that are another one in a different shape.
    """

    steps: tuple[Step, ...]
    entry: str
    exit: str
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    alias: dict[str, str]


def find_region(
    model: Any,  # noqa: ANN401 - onnx ships no types
    constants: dict[str, npt.NDArray[Any]],
    *,
    name: str,
) -> Region:
    """Find the integer part of a model.

    Raises:
        InputError: T-C102, operators between the first and the last product have no integer
            form (all are named); T-C112 there is no product with fixed weights; T-C101 the
            model is quantised already.
    """
    nodes = list(model.graph.node)
    kinds = {node.op_type for node in nodes}
    if kinds & {"QLinearConv", "QGemm", "QLinearMatMul", "DequantizeLinear", "ConvInteger"}:
        raise _problem(
            "T-C101",
            f"{name} is quantised already.",
            "Give the model in floating point.",
        )
    products = [i for i, node in enumerate(nodes) if _fixed_product(node, constants)]
    if not products:
        raise _problem(
            "T-C112",
            f"{name} holds no convolution, Gemm or MatMul with fixed weights.",
            "Give a model whose work is matrix products.",
        )
    entry = nodes[products[0]].input[0]
    uses = _uses(model)
    inside, alias = {entry}, {entry: entry}
    steps: list[Step] = []
    taken: set[int] = set()
    products_out: set[str] = set()
    problems: list[Problem] = []
    for place, node in enumerate(nodes):
        sources = [x for x in node.input if x and x not in constants]
        if place in taken or not any(x in inside for x in sources):
            if products[0] < place < products[-1] and _fixed_product(node, constants):
                problems.append(_unsupported(name, node, "fed from outside the chain"))
            continue
        reason = _refusal(node, constants, sources, inside)
        if reason is not None:
            if place < products[-1]:
                problems.append(_unsupported(name, node, reason))
                inside.update(node.output)
                alias.update((output, output) for output in node.output)
            continue
        if place > products[-1] and (uses.get(sources[0], 0) > 1 or not taken):
            continue
        taken.add(place)
        inside.add(node.output[0])
        if node.op_type in RESHAPING:
            alias[node.output[0]] = alias[sources[0]]
            continue
        result, bias, clipped = node.output[0], None, False
        for later in range(place + 1, len(nodes)):
            after = nodes[later]
            if result not in after.input or uses.get(result, 0) != 1 or clipped:
                continue
            added = _added(after, result, constants) if bias is None else None
            if added is not None and node.op_type in PRODUCTS:
                bias = added
            elif (
                after.op_type in CLIPS
                and _cuts_at_zero(after, constants)
                # A maximum cuts nothing itself: what is in front of it must do so alone.
                and (
                    node.op_type != "MaxPool"
                    or (sources[0] in products_out and uses.get(sources[0], 0) == 1)
                )
            ):
                clipped = True
            else:
                break
            taken.add(later)
            result = after.output[0]
        inside.add(result)
        alias[result] = result
        if node.op_type != "MaxPool":
            products_out.add(result)
        steps.append(
            Step(
                node=node,
                source=alias[sources[0]],
                result=result,
                bias=bias,
                clipped=clipped,
            )
        )
    if problems:
        raise InputError(*problems)
    left = [node for i, node in enumerate(nodes) if i not in taken]
    made = {out for i in taken for out in nodes[i].output}
    wanted = {x for node in left for x in node.input} | {x.name for x in model.graph.output}
    exits = sorted(made & wanted)
    if len(exits) != 1:
        raise _problem(
            "T-C105",
            f"{name}: {len(exits)} tensors leave the integer part "
            f"({', '.join(map(repr, exits))}); it must be one.",
            "Cut the model so that one tensor leaves its last product.",
        )
    after_names = _downstream(left, exits[0])
    return Region(
        steps=tuple(steps),
        entry=entry,
        exit=exits[0],
        before=tuple(n for n in left if n.output[0] not in after_names),
        after=tuple(n for n in left if n.output[0] in after_names),
        alias=alias,
    )


def attributes(node: Any) -> dict[str, Any]:  # noqa: ANN401 - onnx ships no types
    """Return a node's attributes by name."""
    from onnx import helper

    return {x.name: helper.get_attribute_value(x) for x in node.attribute}


def _fixed_product(node: Any, constants: dict[str, Any]) -> bool:  # noqa: ANN401
    return node.op_type in PRODUCTS and len(node.input) > 1 and node.input[1] in constants


def _refusal(node: Any, constants: Any, sources: list[str], inside: set[str]) -> str | None:  # noqa: ANN401
    """Return why a node has no integer form; None where it has one."""
    kind, given = node.op_type, attributes(node)
    if kind not in PRODUCTS | RESHAPING | POOLS:
        return ""
    if sources[0] not in inside or len(sources) != 1:
        return "of two computed inputs"
    match kind:
        case "Conv":
            if np.ndim(constants[node.input[1]]) != 4:
                return "that is not over two axes"
        case "Gemm":
            if given.get("transA", 0) or given.get("beta", 1.0) != 1.0:
                return "with transA or beta"
        case "MatMul":
            if np.ndim(constants[node.input[1]]) != 2:
                return "whose weights have more than two axes"
        case "MaxPool" | "AveragePool":
            if given.get("ceil_mode", 0) or len(given.get("kernel_shape", ())) != 2:
                return "with ceil_mode or not over two axes"
            if (
                kind == "AveragePool"
                and any(given.get("pads", ()))
                and not given.get("count_include_pad", 0)
            ):
                return "whose divisor changes at the border"
            if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
                return "with auto_pad"
        case "ReduceMean":
            axes = given.get("axes") or (
                constants.get(node.input[1]) if len(node.input) > 1 else None
            )
            if axes is None or sorted(int(a) for a in axes) not in ([2, 3], [-2, -1]):
                return "over other axes than height and width"
        case _:
            pass
    return None


def _added(node: Any, tensor: str, constants: dict[str, Any]) -> npt.NDArray[Any] | None:  # noqa: ANN401
    """Return the constant that an Add puts on each channel."""
    if node.op_type != "Add":
        return None
    other = next((x for x in node.input if x != tensor), "")
    value = constants.get(other)
    return None if value is None else np.asarray(value).reshape(-1)


def _cuts_at_zero(node: Any, constants: dict[str, Any]) -> bool:  # noqa: ANN401
    if node.op_type == "Relu":
        return True
    given = attributes(node)
    low = given.get("min")
    if low is None and len(node.input) > 1 and node.input[1] in constants:
        low = float(constants[node.input[1]])
    return low == 0


def _uses(model: Any) -> dict[str, int]:  # noqa: ANN401
    uses: dict[str, int] = {}
    for names in (*(n.input for n in model.graph.node), [x.name for x in model.graph.output]):
        for name in names:
            uses[name] = uses.get(name, 0) + 1
    return uses


def _downstream(nodes: list[Any], tensor: str) -> set[str]:
    reached = {tensor}
    names: set[str] = set()
    for node in nodes:
        if any(x in reached for x in node.input):
            reached.update(node.output)
            names.add(node.output[0])
    return names


def _unsupported(name: str, node: Any, which: str = "") -> Problem:  # noqa: ANN401
    what = f"{node.op_type} {which}".strip()
    return Problem(
        code="T-C102",
        message=f"{name}: node {node.name or node.output[0]!r} is {what}, which has no integer "
        "form here.",
        remedy=f"Replace it, or cut the model before it; read are: {', '.join(SUPPORTED)}.",
    )


def _problem(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
