"""The integer reference is ONNX Runtime, value for value."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.unit.accelerator.small_networks import NETWORKS, Chain, inputs_for

from titian.accelerator.quantization.comparison import compare_with_runtime
from titian.accelerator.quantization.network import Network
from titian.accelerator.quantization.quantizer import quantize
from titian.accelerator.quantization.reading import read_network
from titian.accelerator.quantization.runtime import LEVELS


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_tensor_equals_that_of_the_runtime(kind: str) -> None:
    make, shape = NETWORKS[kind]
    x = inputs_for(shape, 40)
    made = quantize(make(), x, name="small.onnx")
    network = read_network(onnx.load_model_from_string(made.content), name="small.onnx")
    for level in LEVELS:
        found = compare_with_runtime(made.content, network, "x", x, level=level)
        assert (found.different, found.first) == (0, "")
        assert found.values > 40 * 10
        assert found.runtime.level == level


def test_what_stands_in_front_and_behind_stays_with_the_host() -> None:
    chain = Chain((3, 6, 6))
    chain.node("Mul", chain.constant(np.float32([0.5])), name="before")
    content = chain.conv(3, 4, 3).node("Relu").node("Sigmoid", name="behind").bytes()
    x = inputs_for((3, 6, 6), 8)
    made = quantize(content, x, name="small.onnx")
    assert made.host == (("before", "Mul"), ("behind", "Sigmoid"))
    network = read_network(onnx.load_model_from_string(made.content), name="small.onnx")
    assert compare_with_runtime(made.content, network, "x", x).different == 0


def single(group: int, unsigned: bool, seed: int) -> tuple[bytes, Network, np.ndarray]:
    """One QLinearConv of extreme numbers."""
    rng = np.random.default_rng(seed)
    kind, lowest = (np.uint8, 0) if unsigned else (np.int8, -128)
    channels, filters = 6, 6 if group > 1 else 5
    constants = {
        "xs": np.asarray(rng.uniform(0.01, 0.1), np.float32),
        "xz": np.asarray(rng.integers(lowest, lowest + 256), kind),
        "w": rng.choice([-127, -1, 0, 3, 127], (filters, channels // group, 3, 3)).astype(
            np.int8
        ),
        "ws": rng.uniform(1e-4, 1e-2, filters).astype(np.float32),
        "wz": np.zeros(filters, np.int8),
        "ys": np.asarray(rng.uniform(0.01, 0.5), np.float32),
        "yz": np.asarray(rng.integers(lowest, lowest + 256), kind),
        "b": rng.integers(-5000, 5000, filters).astype(np.int32),
    }
    element = TensorProto.UINT8 if unsigned else TensorProto.INT8
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node(
            "QLinearConv",
            ["xq", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"],
            ["yq"],
            name="conv",
            group=group,
            pads=[1, 0, 2, 1],
            strides=[2, 1],
        ),
        helper.make_node("MaxPool", ["yq"], ["pq"], kernel_shape=[2, 2], name="pool"),
        helper.make_node("DequantizeLinear", ["pq", "ys", "yz"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "single",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, 8, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
        value_info=[helper.make_tensor_value_info("xq", element, ["n", channels, 8, 9])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = rng.choice([-9.0, -0.3, 0.0, 0.2, 9.0], (3, channels, 8, 9)).astype(np.float32)
    return model.SerializeToString(), read_network(model, name="single.onnx"), x


@pytest.mark.parametrize("group", [1, 2, 6])
@pytest.mark.parametrize("seed", range(5))
def test_extreme_numbers_agree_in_the_signed_form(group: int, seed: int) -> None:
    content, network, x = single(group, unsigned=False, seed=seed)
    assert compare_with_runtime(content, network, "x", x).different == 0


def test_an_unsigned_model_is_the_same_network_128_lower() -> None:
    content, network, x = single(1, unsigned=True, seed=3)
    assert network.unsigned == {"xq", "yq", "pq"}
    # Large unsigned sums may saturate on processors without VNNI; small ones never do.
    assert compare_with_runtime(content, network, "x", x * 0).different == 0


def test_a_wrong_weight_is_seen() -> None:
    content, network, x = single(1, unsigned=False, seed=2)
    network.layers[0].weights[0, 0, 0, 0] += 5
    found = compare_with_runtime(content, network, "x", x)
    assert found.different > 0
    assert found.first == "conv"
