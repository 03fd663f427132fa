"""Small ONNX models with known work."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def save(path, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def linear(path, width=4, out=3, repeats=1, batch="n"):
    """x (n, width) -> Gemm -> y (n, out), after `repeats - 1` square layers."""
    rng = np.random.default_rng(0)
    nodes, weights, source = [], [], "x"
    for k in range(repeats - 1):
        weights.append((f"s{k}", rng.normal(size=(width, width)).astype(np.float32)))
        nodes.append(
            helper.make_node("MatMul", [source, f"s{k}"], [f"h{k}"], name=f"square{k}")
        )
        source = f"h{k}"
    weights += [
        ("w", rng.normal(size=(width, out)).astype(np.float32)),
        ("b", rng.normal(size=out).astype(np.float32)),
    ]
    nodes.append(helper.make_node("Gemm", [source, "w", "b"], ["y"], name="last"))
    return save(
        path, nodes, [("x", TensorProto.FLOAT, [batch, width])], [("y", [batch, out])], weights
    )


def convolution(path, size="hw"):
    """An image (n, 3, h, w) -> Conv 5x5 to 8 channels -> Relu -> mean."""
    side = [16, 12] if size == "fixed" else ["h", "w"]
    weights = [
        ("k", np.ones((8, 3, 5, 5), np.float32)),
        ("b", np.zeros(8, np.float32)),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "k", "b"], ["c"], name="conv", kernel_shape=[5, 5]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["y"], name="mean"),
    ]
    return save(
        path,
        nodes,
        [("image", TensorProto.FLOAT, ["n", 3, *side])],
        [("y", ["n", 8, 1, 1])],
        weights,
    )


def not_a_number(path):
    """x (n, 2) -> log(x - 2): NaN for every x below 2."""
    nodes = [
        helper.make_node("Sub", ["x", "two"], ["d"]),
        helper.make_node("Log", ["d"], ["y"]),
    ]
    return save(
        path,
        nodes,
        [("x", TensorProto.FLOAT, ["n", 2])],
        [("y", ["n", 2])],
        [("two", np.float32(2.0).reshape(()))],
    )
