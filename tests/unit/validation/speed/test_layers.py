"""Operations and parameters of layers, worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, load, numpy_helper
from tests.unit.validation.speed import models

from titian.validation.speed.layers import count_work, observe_shapes


def counted(path, seen=None, **shapes):
    return count_work(load(path), shapes, size_bytes=path.stat().st_size, seen=seen)


def one_node(path, operator, sources, out, *, weights=(), **attributes):
    names = [name for name, _ in sources]
    node = helper.make_node(operator, [*names, *(n for n, _ in weights)], ["y"], **attributes)
    ports = [(name, TensorProto.FLOAT, shape) for name, shape in sources]
    return counted(models.save(path, [node], ports, [("y", out)], weights))


def test_a_convolution_is_two_operations_a_weight_and_a_bias_a_number(tmp_path):
    path = models.convolution(tmp_path / "m.onnx")
    work = counted(path, image=(1, 3, 16, 12))
    out = 8 * 12 * 8
    conv, relu, mean = work.layers
    assert conv.operations == out * (2 * 3 * 25 + 1)
    assert conv.parameters == 8 * 3 * 25 + 8
    assert conv.output == (1, 8, 12, 8)
    assert (relu.operations, mean.operations) == (out, out)
    assert work.operations == conv.operations + 2 * out
    assert work.complete


def test_a_matrix_product_is_two_operations_a_term(tmp_path):
    work = counted(models.linear(tmp_path / "m.onnx", repeats=2), x=(5, 4))
    square, last = work.layers
    assert (square.name, square.operations, square.parameters) == ("square0", 2 * 5 * 4 * 4, 16)
    assert (last.operations, last.parameters) == (5 * 3 * (2 * 4 + 1), 15)
    assert work.parameters == 31


def test_groups_divide_the_work(tmp_path):
    weights = [("k", np.ones((6, 1, 3, 3), np.float32))]
    work = one_node(
        tmp_path / "m.onnx",
        "Conv",
        [("x", [1, 6, 8, 8])],
        [1, 6, 6, 6],
        weights=weights,
        group=6,
    )
    assert work.operations == 6 * 36 * 2 * 9


@pytest.mark.parametrize(
    ("operator", "shape", "out", "attributes", "operations"),
    [
        (
            "MaxPool",
            [1, 2, 8, 8],
            [1, 2, 4, 4],
            {"kernel_shape": [2, 2], "strides": [2, 2]},
            128,
        ),
        ("Softmax", [3, 5], [3, 5], {}, 45),
        ("Transpose", [3, 5], [5, 3], {}, 0),
        ("Sigmoid", [3, 5], [3, 5], {}, 45),
        ("Einsum", [3, 5], [5, 3], {"equation": "ab->ba"}, 15),
    ],
)
def test_other_layers_by_hand(tmp_path, operator, shape, out, attributes, operations):
    work = one_node(tmp_path / "m.onnx", operator, [("x", shape)], out, **attributes)
    assert work.operations == operations
    assert work.complete


def test_an_operator_without_a_count_is_named_and_the_sum_says_so(tmp_path):
    work = one_node(tmp_path / "m.onnx", "Det", [("x", [4, 4])], [])
    assert work.unknown == (("Det", 1, "the operator is not counted"),)
    assert not work.complete
    assert work.layers[0].operations is None


def test_weights_of_branches_are_counted_and_their_work_is_named(tmp_path):
    def branch(size):
        tensor = numpy_helper.from_array(np.ones(size, np.float32), f"w{size}")
        node = helper.make_node("Identity", [f"w{size}"], [f"y{size}"])
        out = helper.make_tensor_value_info(f"y{size}", TensorProto.FLOAT, [size])
        return helper.make_graph([node], "branch", [], [out], [tensor])

    node = helper.make_node("If", ["x"], ["y"], then_branch=branch(2), else_branch=branch(5))
    path = models.save(
        tmp_path / "m.onnx", [node], [("x", TensorProto.BOOL, [])], [("y", ["n"])]
    )
    work = counted(path)
    assert work.parameters == 7
    assert work.unknown == (("If", 1, "the operator is not counted"),)


def test_a_shape_that_hangs_on_values_is_seen_by_running(tmp_path):
    nodes = [
        helper.make_node("NonZero", ["x"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    path = models.save(
        tmp_path / "m.onnx", nodes, [("x", TensorProto.FLOAT, [3])], [("y", ["r", "c"])]
    )
    blind = counted(path)
    assert blind.unknown == (("Relu", 1, "its shape is not known"),)
    seen = observe_shapes(load(path), {"x": np.array([1, 0, 2], np.float32)})
    assert counted(path, seen=seen).operations == 2


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "giga"),
    # Multiply-adds that the literature states, times two.
    [("light_resnet50", 8.2), ("light_densenet121", 5.7), ("light_squeezenet", 0.70)],
)
def test_known_networks_have_their_known_work(
    shared_data: Path, name: str, giga: float
) -> None:
    path = shared_data / "onnx_models" / f"{name}.onnx"
    model = load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    (entry,) = [port.name for port in model.graph.input if port.name not in weights]
    work = counted(path, **{entry: (1, 3, 224, 224)})
    assert work.operations / 1e9 == pytest.approx(giga, rel=0.02)
