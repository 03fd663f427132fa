"""Small models of known behaviour, as torch callables and as ONNX files."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from titian.validation.robustness import Budget, make_samples

SMALL = Budget(apgd_steps=10, target_steps=10, first_queries=50, queries=200)


def blobs(n=40, features=6, classes=3, seed=0, spread=0.05):
    """Cases around one corner of the unit cube for each class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = np.full((classes, features), 0.4)
    for place in range(classes):
        centres[place, place::classes] = 0.6
    x = np.clip(centres[y] + rng.normal(0, spread, (n, features)), 0, 1)
    return make_samples(x.astype(np.float32), y)


def linear_weights(features=6, classes=3):
    weights = np.full((features, classes), -1.0, np.float32)
    for place in range(classes):
        weights[place::classes, place] = 1.0
    return weights


def linear(features=6, classes=3, scale=10.0):
    import torch

    weights = torch.from_numpy(scale * linear_weights(features, classes))
    return lambda x: (x - 0.5).flatten(1) @ weights


def save(path, nodes, weights, shape, outputs, opset=18, metadata=None):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


def save_linear(path, last="Softmax", scale=10.0, metadata=None, operator="Identity"):
    weights = scale * linear_weights()
    return save(
        path,
        [
            helper.make_node("Sub", ["x", "half"], ["middle"]),
            helper.make_node("MatMul", ["middle", "w"], ["product"]),
            helper.make_node(operator, ["product"], ["same"]),
            helper.make_node(last, ["same"], ["scores"]),
        ],
        {"w": weights, "half": np.array(0.5, np.float32)},
        [6],
        3,
        metadata=metadata,
    )
