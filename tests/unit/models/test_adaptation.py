"""A foreign graph keeps its answers and gets one way in and out."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from titian.errors import InputError
from titian.models import Card, adapt, find_ports, load_model

from .conftest import write

MOVE = "Export the model with one input of images or of numeric columns."


def vendor(
    *,
    shape=("n", 3, 4, 4),
    kind=TensorProto.FLOAT,
    entry="data",
    leave="out",
    columns=2,
    opset=13,
    spare=(),
):
    """Return a model that answers (mean, 2 mean, ...) of all numbers of a case."""
    weights = np.arange(1, columns + 1).reshape(1, columns)
    weights = weights.astype(helper.tensor_dtype_to_np_dtype(kind))
    axes = list(range(1, len(shape)))
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [entry], ["mean"], axes=axes, keepdims=0),
            helper.make_node("Reshape", ["mean", "column"], ["wide"]),
            helper.make_node("MatMul", ["wide", "w"], [leave]),
        ],
        "vendor",
        [helper.make_tensor_value_info(entry, kind, shape), *spare],
        [helper.make_tensor_value_info(leave, kind, [shape[0], columns])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.asarray([-1, 1]), "column"),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7
    )


def answers(model, ports, tmp_path, images, **how):
    classes = ("a", "b", "c")[: len(how.get("order", ())) or 2]
    card = Card(input="image", classes=classes, size=ports.size, batch=ports.batch)
    path = write(adapt(model, ports, **how), tmp_path / "adapted.onnx", card)
    return load_model(path).predict_images(images)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (("n", 3, 4, 4), TensorProto.FLOAT),
        ((1, 1, 4, 4), TensorProto.FLOAT),
        (("n", "h", "w", 3), TensorProto.DOUBLE),
        ((2, 4, 4, 1), TensorProto.FLOAT16),
    ],
)
def test_channels_layout_type_and_batch_of_the_graph_are_served(tmp_path, shape, kind):
    model = vendor(shape=shape, kind=kind)
    ports = find_ports(model, images=True, name="v.onnx")
    assert ports.channels == (3 if 3 in shape else 1)
    images = [np.full((4, 4), v) for v in (0.1, 0.2, 0.3)]
    got = answers(model, ports, tmp_path, images)
    assert got == pytest.approx(np.outer([0.1, 0.2, 0.3], [1, 2]), abs=2e-3)


def test_the_value_range_is_put_in_front(tmp_path):
    model = vendor()
    ports = find_ports(model, images=True, name="v.onnx")
    got = answers(model, ports, tmp_path, [np.full((4, 4), 0.5)], value_range=(-1.0, 3.0))
    assert got == pytest.approx(np.asarray([[1.0, 2.0]]), abs=1e-5)


def test_softmax_and_the_order_of_classes_are_put_behind(tmp_path):
    model = vendor(columns=3)
    ports = find_ports(model, images=True, name="v.onnx")
    got = answers(
        model,
        ports,
        tmp_path,
        [np.full((4, 4), 1.0)],
        activation="softmax",
        order=(2, 0, 1),
    )
    powers = np.exp([3.0, 1.0, 2.0])
    assert got[0] == pytest.approx(powers / powers.sum(), abs=1e-5)


def test_a_single_score_becomes_two_columns(tmp_path):
    model = vendor(columns=1)
    ports = find_ports(model, images=True, name="v.onnx")
    got = answers(
        model, ports, tmp_path, [np.full((4, 4), 1.0)], activation="sigmoid", single=True
    )
    assert got[0] == pytest.approx([1 - 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-1))], abs=1e-6)


@pytest.mark.parametrize(
    ("entry", "leave"), [("image", "probabilities"), ("probabilities", "image")]
)
def test_names_that_clash_with_titians_own_are_moved(tmp_path, entry, leave):
    model = vendor(entry=entry, leave=leave)
    ports = find_ports(model, images=True, name="v.onnx")
    got = answers(model, ports, tmp_path, [np.full((4, 4), 0.5)])
    assert got == pytest.approx(np.asarray([[0.5, 1.0]]), abs=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            vendor(spare=[helper.make_tensor_value_info("state", TensorProto.FLOAT, [1])]),
            "T-M006: v.onnx has 2 inputs ('data', 'state'); it must have one. " + MOVE,
        ),
        (
            vendor(shape=("n", 4, 8, 8)),
            "T-M006: v.onnx input 'data' has shape (?, 4, 8, 8); images are (n, c, h, w) or "
            "(n, h, w, c) with c 1 or 3, and h and w both fixed or both free. " + MOVE,
        ),
        (
            vendor(shape=("n", 3, 8, "w")),
            "T-M006: v.onnx input 'data' has shape (?, 3, 8, ?); images are (n, c, h, w) or "
            "(n, h, w, c) with c 1 or 3, and h and w both fixed or both free. " + MOVE,
        ),
        (
            vendor(opset=6),
            "T-M006: v.onnx has opset 6; 7 or later is read. " + MOVE,
        ),
    ],
)
def test_odd_inputs_are_refused(model, message):
    with pytest.raises(InputError) as caught:
        find_ports(model, images=True, name="v.onnx")
    assert str(caught.value) == message


def test_a_table_input_has_two_axes_and_a_wanted_output_must_be_there():
    with pytest.raises(InputError) as caught:
        find_ports(vendor(), images=False, output="gone", name="v.onnx")
    assert str(caught.value) == (
        f"T-M006: v.onnx input 'data' has shape (?, 3, 4, 4); a table is (n, p). {MOVE}\n"
        "T-M008: v.onnx has no output of floating-point numbers among 'out' (wanted: 'gone'). "
        "Name the output that holds the scores under model.output."
    )
