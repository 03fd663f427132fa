"""Small ONNX models, made when a test asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper


def weight(name: str, *shape: int, kind: int = TensorProto.FLOAT) -> Any:
    data = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind)).tobytes()
    return helper.make_tensor(name, kind, shape, data, raw=True)


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    weights: Sequence[Any] = (),
    *,
    kind: int = TensorProto.FLOAT,
    opset: int = 18,
    foreign: bool = False,
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(key, kind, shape) for key, shape in inputs.items()],
        [helper.make_tensor_value_info(key, kind, shape) for key, shape in outputs.items()],
        list(weights),
    )
    opsets = [helper.make_opsetid("", opset)]
    if foreign:
        opsets.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def small(folder: Path, batch: int | str = 1) -> Path:
    """Convolution, depthwise convolution, pooling, a linear layer and a softmax."""
    node = helper.make_node
    return save(
        folder / "small.onnx",
        [
            node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2], name="first"),
            node("Relu", ["a"], ["b"], name="relu"),
            node("Conv", ["b", "dw"], ["c"], pads=[1, 1, 1, 1], group=8, name="depthwise"),
            node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2], name="pool"),
            node("Flatten", ["d"], ["e"]),
            node("Gemm", ["e", "g"], ["f"], name="linear"),
            node("Softmax", ["f"], ["y"], name="softmax"),
        ],
        {"x": [batch, 3, 32, 32]},
        {"y": [batch, 10]},
        [weight("w", 8, 3, 3, 3), weight("dw", 8, 1, 3, 3), weight("g", 512, 10)],
    )
