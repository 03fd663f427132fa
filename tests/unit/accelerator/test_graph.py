"""The work of ONNX models: float, QDQ, QOperator, attention; what is left out is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper
from tests.unit.accelerator.models import save, small, weight

from titian.accelerator.workload.graph import read_workload
from titian.accelerator.workload.layers import Image
from titian.errors import InputError

node = helper.make_node


def test_a_small_network_is_taken_apart(tmp_path: Path) -> None:
    work = read_workload(small(tmp_path))
    assert [(x.name, x.m, x.k, x.n, x.repeat) for x in work.layers] == [
        ("first", 256, 27, 8, 1),
        ("depthwise", 256, 9, 1, 8),
        ("linear", 1, 512, 10, 1),
    ]
    assert work.layers[1].image == Image(height=18, width=18, channels=8, kernel=3, stride=1)
    assert [(x.name, x.operations) for x in work.vector] == [("relu", 2048), ("pool", 2048)]
    assert [(x.name, x.operator, x.operations, x.reason) for x in work.elsewhere] == [
        ("softmax", "Softmax", 10, "the operator is not supported")
    ]
    macs = 256 * 27 * 8 + 256 * 9 * 8 + 5120
    assert work.macs == macs
    assert work.accelerated_share == pytest.approx((2 * macs + 4096) / (2 * macs + 4106))


def test_a_free_axis_is_refused_with_the_option_that_fixes_it(tmp_path: Path) -> None:
    path = small(tmp_path, "n")
    with pytest.raises(InputError) as caught:
        read_workload(path)
    assert str(caught.value) == (
        "T-C013: input 'x' of small.onnx has shape (free, 3, 32, 32); every axis must be "
        "fixed. State it, for example --shape x=1,3,32,32."
    )
    assert read_workload(path, {"x": (4, 3, 32, 32)}).layers[0].m == 4 * 256


def test_a_shape_that_contradicts_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_workload(small(tmp_path, "n"), {"x": (1, 3, 64, 32), "z": (1,)})
    assert str(caught.value) == (
        "T-C014: small.onnx has no input 'z'; it has 'x'. Name one of its inputs.\n"
        "T-C014: --shape x=1,3,64,32 contradicts small.onnx, where 'x' has shape (free, 3, 32, "
        "32). State a shape that agrees in every fixed axis."
    )


def test_attention_is_two_products_a_head(tmp_path: Path) -> None:
    path = save(
        tmp_path / "attention.onnx",
        [
            node("MatMul", ["x", "wq"], ["q"], name="queries"),
            node("Reshape", ["q", "heads"], ["q4"]),
            node("Transpose", ["q4"], ["qt"], perm=[0, 2, 1, 3]),
            node("Transpose", ["q4"], ["kt"], perm=[0, 2, 3, 1]),
            node("MatMul", ["qt", "kt"], ["s"], name="scores"),
            node("Softmax", ["s"], ["p"], name="softmax"),
            node("MatMul", ["p", "qt"], ["y"], name="values"),
        ],
        {"x": [2, 16, 32]},
        {"y": [2, 4, 16, 8]},
        [
            weight("wq", 32, 32),
            helper.make_tensor("heads", TensorProto.INT64, [4], [2, 16, 4, 8]),
        ],
    )
    work = read_workload(path)
    assert [(x.name, x.m, x.k, x.n, x.repeat) for x in work.layers] == [
        ("queries", 32, 32, 32, 1),
        ("scores", 16, 8, 16, 8),
        ("values", 16, 16, 8, 8),
    ]
    assert [x.name for x in work.elsewhere] == ["softmax"]


def test_the_attention_operator_is_two_products_a_head(tmp_path: Path) -> None:
    path = save(
        tmp_path / "attention.onnx",
        [node("Attention", ["q", "k", "v"], ["y"], name="att", q_num_heads=4, kv_num_heads=2)],
        {"q": [1, 6, 32], "k": [1, 9, 16], "v": [1, 9, 16]},
        {"y": [1, 6, 32]},
        opset=23,
    )
    work = read_workload(path)
    assert [(x.name, x.m, x.k, x.n, x.repeat) for x in work.layers] == [
        ("att/scores", 6, 8, 9, 4),
        ("att/values", 6, 9, 8, 4),
    ]
    assert work.layers[0].weights == 2 * 9 * 8


def test_quantised_operators_of_both_domains_are_read(tmp_path: Path) -> None:
    scale, zero = weight("s", 1), weight("z", 1, kind=TensorProto.UINT8)
    quantised = TensorProto.UINT8
    path = save(
        tmp_path / "q.onnx",
        [
            node(
                "QLinearConv",
                ["x", "s", "z", "w", "s", "z", "s", "z"],
                ["a"],
                name="conv",
                pads=[1, 1, 1, 1],
            ),
            node(
                "QLinearAdd",
                ["a", "s", "z", "a", "s", "z", "s", "z"],
                ["b"],
                name="add",
                domain="com.microsoft",
            ),
            node(
                "QLinearGlobalAveragePool",
                ["b", "s", "z", "s", "z"],
                ["c"],
                name="pool",
                domain="com.microsoft",
                channels_last=0,
            ),
            node("Flatten", ["c"], ["d"]),
            node(
                "QGemm",
                ["d", "s", "z", "g", "s", "z", "", "s", "z"],
                ["y"],
                name="gemm",
                domain="com.microsoft",
                transB=1,
            ),
        ],
        {"x": [1, 3, 8, 8]},
        {"y": [1, 10]},
        [
            scale,
            zero,
            weight("w", 4, 3, 3, 3, kind=quantised),
            weight("g", 10, 4, kind=quantised),
        ],
        kind=quantised,
        foreign=True,
    )
    work = read_workload(path)
    assert [(x.name, x.m, x.k, x.n) for x in work.layers] == [
        ("conv", 64, 27, 4),
        ("gemm", 1, 4, 10),
    ]
    assert [(x.name, x.operations) for x in work.vector] == [("add", 256), ("pool", 256)]
    assert work.elsewhere == ()


def test_quantise_dequantise_pairs_cost_nothing(tmp_path: Path) -> None:
    path = save(
        tmp_path / "qdq.onnx",
        [
            node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
            node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
            node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
            node("Conv", ["xd", "wd"], ["y"], name="conv", group=2),
        ],
        {"x": [1, 4, 8, 8]},
        {"y": [1, 6, 6, 6]},
        [
            weight("s"),
            weight("z", kind=TensorProto.INT8),
            weight("w", 6, 2, 3, 3, kind=TensorProto.INT8),
        ],
    )
    work = read_workload(path)
    (layer,) = work.layers
    assert (layer.m, layer.k, layer.n, layer.repeat) == (36, 18, 3, 2)
    assert (work.vector, work.elsewhere) == ((), ())
    assert work.accelerated_share == 1.0


def test_recurrences_and_transposed_convolutions_are_products(tmp_path: Path) -> None:
    path = save(
        tmp_path / "r.onnx",
        [
            node("LSTM", ["x", "w", "r"], ["y"], name="lstm", hidden_size=5),
            node("ConvTranspose", ["i", "k"], ["o"], name="up", strides=[2, 2]),
        ],
        {"x": [7, 2, 3], "i": [1, 4, 6, 6]},
        {"y": [7, 1, 2, 5], "o": [1, 8, 12, 12]},
        [weight("w", 1, 20, 3), weight("r", 1, 20, 5), weight("k", 4, 8, 2, 2)],
    )
    work = read_workload(path)
    assert [(x.name, x.m, x.k, x.n, x.repeat) for x in work.layers] == [
        ("lstm/input", 14, 3, 20, 1),
        ("lstm/recurrent", 2, 5, 20, 7),
        ("up", 36, 4, 32, 1),
    ]


def test_nodes_of_one_name_stay_apart(tmp_path: Path) -> None:
    path = save(
        tmp_path / "two.onnx",
        [
            node("MatMul", ["x", "w"], ["a"], name="same"),
            node("MatMul", ["a", "w"], ["y"], name="same"),
        ],
        {"x": [2, 4]},
        {"y": [2, 4]},
        [weight("w", 4, 4)],
    )
    assert [layer.name for layer in read_workload(path).layers] == ["same", "same#2"]


def test_a_model_without_products_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "r.onnx", [node("Relu", ["x"], ["y"])], {"x": [2]}, {"y": [2]})
    with pytest.raises(InputError) as caught:
        read_workload(path)
    assert str(caught.value) == (
        "T-C016: r.onnx holds no convolution and no matrix product. Give a model with Conv, "
        "Gemm or MatMul."
    )


def test_a_product_of_unknown_shape_is_named(tmp_path: Path) -> None:
    path = save(
        tmp_path / "u.onnx",
        [
            node("NonZero", ["x"], ["i"]),
            node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
            node("MatMul", ["w", "f"], ["y"], name="product"),
        ],
        {"x": [2, 3]},
        {"y": [4, "n"]},
        [weight("w", 4, 2)],
    )
    with pytest.raises(InputError) as caught:
        read_workload(path)
    assert str(caught.value) == (
        "T-C015: node 'product' (MatMul) of u.onnx: the shapes around it are not known, or "
        "they contradict each other. State every input with --shape, or export the model with "
        "fixed shapes."
    )
