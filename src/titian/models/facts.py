"""How large a model is and what it is made of: facts for the model card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from titian.models.inspection import graphs, parse_model, read_bytes

#: Attributes of ai.onnx.ml operators that hold learned numbers.
LEARNED = frozenset(
    {
        "nodes_values",
        "target_weights",
        "class_weights",
        "coefficients",
        "intercepts",
        "leaf_weights",
        "nodes_splits",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Facts that anybody can read off the file.

    Attributes:
        parameters: floating-point numbers that the graph holds: weights, biases, split
            values and leaf values of trees, and the few constants of the preprocessing.
        size_bytes: length of the file.
        opset: version of the standard operators.
        operators: (operator, how many), most frequent first, then by name.
    """

    parameters: int
    size_bytes: int
    opset: int
    operators: tuple[tuple[str, int], ...]


def model_facts(path: Path) -> ModelFacts:
    """Read the facts of a model file.

    Raises:
        InputError: T-M001 to T-M005, as `parse_model`.
    """
    import onnx

    content = read_bytes(path)
    model = parse_model(content, name=path.name)
    floating = {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
        onnx.TensorProto.DOUBLE,
    }
    parameters = 0
    operators: Counter[str] = Counter()
    for graph in graphs(model):
        for tensor in getattr(graph, "initializer", ()):
            if tensor.data_type in floating:
                parameters += _elements(tuple(tensor.dims))
        for node in graph.node:
            operators[node.op_type] += 1
            for attribute in node.attribute:
                if attribute.name in LEARNED:
                    parameters += len(attribute.floats)
                if attribute.HasField("t") and attribute.t.data_type in floating:
                    parameters += _elements(tuple(attribute.t.dims))
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    return ModelFacts(
        parameters=parameters,
        size_bytes=len(content),
        opset=int(opset),
        operators=tuple(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
    )


def _elements(dims: tuple[int, ...]) -> int:
    product = 1
    for dim in dims:
        product *= dim
    return product
