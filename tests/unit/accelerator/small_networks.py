"""Small floating-point networks with random weights, as ONNX bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper, shape_inference


class Chain:
    """Builds a chain of nodes from ``x``."""

    def __init__(
        self, shape: tuple[int, ...], *, seed: int = 0, batch: int | str = "n"
    ) -> None:
        self.shape = (batch, *shape)
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.last = "x"

    def node(self, kind: str, *extra: str, name: str = "", **given: Any) -> Chain:
        result = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                kind, [self.last, *extra], [result], name=name or f"{kind}_{result}", **given
            )
        )
        self.last = result
        return self

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self, inputs: int, filters: int, kernel: int, *, group: int = 1, **given: Any
    ) -> Chain:
        shape = (filters, inputs // group, kernel, kernel)
        spread = 1 / np.sqrt(shape[1] * kernel * kernel)
        weights = self.constant(self.rng.normal(0, spread, shape).astype(np.float32))
        bias = self.constant(self.rng.normal(0, 0.1, filters).astype(np.float32))
        return self.node("Conv", weights, bias, group=group, **given)

    def gemm(self, inputs: int, outputs: int) -> Chain:
        spread = 1 / np.sqrt(inputs)
        weights = self.constant(
            self.rng.normal(0, spread, (outputs, inputs)).astype(np.float32)
        )
        bias = self.constant(self.rng.normal(0, 0.1, outputs).astype(np.float32))
        return self.node("Gemm", weights, bias, transB=1)

    def bytes(self) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        )
        return bytes(shape_inference.infer_shapes(model).SerializeToString())


def small_cnn(seed: int = 0) -> bytes:
    """A convolution with stride, a pool, a depthwise one, an average and a classifier."""
    chain = Chain((3, 13, 11), seed=seed)
    chain.conv(3, 6, 3, strides=[2, 2], pads=[1, 1, 1, 1]).node("Relu")
    chain.node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    chain.conv(6, 6, 3, group=6, pads=[1, 1, 1, 1]).node("Relu")
    chain.conv(6, 10, 1).node("GlobalAveragePool").node("Flatten")
    return chain.gemm(10, 4).node("Softmax").bytes()


def plain_cnn(seed: int = 0) -> bytes:
    """Two convolutions with padding and dilation, flattened into a classifier."""
    chain = Chain((2, 9, 7), seed=seed)
    chain.conv(2, 5, 3, pads=[1, 0, 1, 2]).node("Relu")
    chain.conv(5, 9, 3, dilations=[2, 2], pads=[2, 2, 2, 2]).node("Flatten")
    return chain.gemm(9 * 9 * 7, 3).bytes()


def small_mlp(seed: int = 0) -> bytes:
    """Two layers over a row of values."""
    return Chain((12,), seed=seed).gemm(12, 9).node("Relu").gemm(9, 2).bytes()


NETWORKS = {
    "cnn": (small_cnn, (3, 13, 11)),
    "plain": (plain_cnn, (2, 9, 7)),
    "mlp": (small_mlp, (12,)),
}


def inputs_for(shape: tuple[int, ...], n: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)
