"""Arrays in, probabilities out."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from titian.errors import InputError
from titian.models import Card, decide, load_model, model_facts, resize_images

from .conftest import BINARY, image_graph, write


def expected(value: float) -> float:
    return float(1 / (1 + np.exp(-4 * value)))


def test_images_of_many_sizes_are_answered_in_order(tiny):
    values = np.linspace(0, 1, 9)
    images = [np.full((5 + k % 3, 7), value) for k, value in enumerate(values)]
    scores = load_model(tiny).predict_images(images)
    assert scores.dtype == np.float64
    assert scores[:, 1] == pytest.approx([expected(value) for value in values], abs=1e-6)
    assert scores.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-6)


def test_no_case_gives_no_score(tiny):
    assert load_model(tiny).predict_images([]).shape == (0, 2)


def test_a_fixed_size_and_batch_are_served_by_resizing_and_filling_up(tmp_path):
    card = Card(
        input="image",
        classes=("no", "yes"),
        positive="yes",
        threshold=0.5,
        size=(4, 6),
        batch=2,
    )
    model = image_graph()
    for axis, length in ((0, 2), (2, 4), (3, 6)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length
    scores = load_model(write(model, tmp_path / "m.onnx", card)).predict_images(
        [np.full((9, 9), v) for v in (0.1, 0.5, 0.9)]
    )
    assert scores[:, 1] == pytest.approx([expected(v) for v in (0.1, 0.5, 0.9)], abs=1e-6)


def test_the_threshold_decides_a_binary_case_and_the_largest_score_another():
    scores = np.asarray([[0.4, 0.6], [0.41, 0.59], [0.1, 0.9]])
    assert decide(scores, BINARY).tolist() == ["yes", "no", "yes"]
    three = Card(input="image", classes=("a", "b", "c"))
    assert decide(np.asarray([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]), three).tolist() == ["a", "c"]


def test_nan_is_refused(tmp_path):
    path = write(image_graph(bias=float("nan")), tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        load_model(path).predict_images([np.zeros((4, 4))] * 3)
    assert str(caught.value) == (
        "T-M009: m.onnx answers NaN or infinity for 3 of 3 cases (first: case 0 of the "
        "batch); a score is a number. Look at that case's input, or train the model again."
    )


def test_an_answer_of_another_width_is_refused(tmp_path):
    path = write(image_graph(classes=3), tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        load_model(path).predict_images([np.zeros((4, 4))])
    assert str(caught.value) == (
        "T-M008: m.onnx answers an array of shape (1, 3) for 1 cases; its 2 classes need "
        "(1, 2). Check the number of classes that the model states."
    )


def test_a_model_of_images_refuses_tables_and_colour(tiny):
    model = load_model(tiny)
    with pytest.raises(InputError) as caught:
        model.predict_table({"age": np.zeros(3)})
    assert str(caught.value) == (
        "T-M010: tiny.onnx reads data of kind 'image', and the project holds 'table'. "
        "Use a model made for this kind of data."
    )
    with pytest.raises(InputError) as caught:
        model.predict_images([np.zeros((4, 4)), np.zeros((4, 4, 3))])
    assert str(caught.value) == (
        "T-M010: image 1 has shape (4, 4, 3); it must be (h, w). "
        "Give gray images as arrays of two axes."
    )


def table_model(tmp_path):
    graph = helper.make_graph(
        [
            helper.make_node("Softmax", ["numbers"], ["probabilities"], axis=1),
            helper.make_node("Identity", ["texts"], ["unused"]),
        ],
        "table",
        [
            helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("texts", TensorProto.STRING, ["n", 1]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    card = Card(input="table", classes=("a", "b"), numbers=("x", "y"), texts=("sex",))
    return load_model(write(model, tmp_path / "t.onnx", card))


def test_a_table_is_read_by_name_and_other_columns_are_ignored(tmp_path):
    model = table_model(tmp_path)
    features = {
        "spare": np.zeros(2),
        "y": np.asarray([1.0, 0.0]),
        "sex": np.asarray(["f", ""]),
        "x": np.asarray([0.0, 1.0]),
    }
    assert model.predict_table(features)[:, 1] == pytest.approx(
        [np.e / (1 + np.e), 1 / (1 + np.e)], abs=1e-6
    )


def test_missing_and_mistyped_columns_are_all_named(tmp_path):
    with pytest.raises(InputError) as caught:
        table_model(tmp_path).predict_table({"x": np.asarray(["a"]), "sex": np.zeros(1)})
    move = "Give the columns that the model was trained on."
    assert str(caught.value) == (
        f"T-M010: feature 'x' holds texts; t.onnx reads numbers from it. {move}\n"
        f"T-M010: feature 'y' is missing; t.onnx reads numbers from it. {move}\n"
        f"T-M010: feature 'sex' holds numbers; t.onnx reads texts from it. {move}"
    )


def test_inputs_that_the_card_does_not_promise_are_refused(tmp_path):
    extra = helper.make_tensor_value_info("extra", TensorProto.FLOAT, [1])
    path = write(image_graph(inputs=[extra]), tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        load_model(path)
    assert str(caught.value) == (
        "T-M006: m.onnx has inputs ['extra', 'image']; its metadata promise ['image']. "
        "Train or admit the model again."
    )


def test_a_graph_that_the_runtime_refuses_is_an_input_error(tmp_path):
    model = image_graph()
    model.graph.initializer[0].dims[0], model.graph.initializer[0].dims[1] = 1, 2
    with pytest.raises(InputError, match=r"^T-M00[26]: m\.onnx "):
        load_model(write(model, tmp_path / "m.onnx")).predict_images([np.zeros((4, 4))])


def test_facts_count_what_the_file_holds(tiny):
    facts = model_facts(tiny)
    assert facts.parameters == 4
    assert facts.opset == 18
    assert facts.size_bytes == tiny.stat().st_size
    assert facts.operators == (
        ("Flatten", 1),
        ("Gemm", 1),
        ("GlobalAveragePool", 1),
        ("Softmax", 1),
    )


def test_resizing_to_the_same_size_changes_nothing_and_shrinking_averages():
    rng = np.random.default_rng(1)
    images = rng.random((2, 1, 16, 16), dtype=np.float32)
    assert np.array_equal(resize_images(images, (16, 16)), images)
    half = resize_images(images, (8, 8))
    assert abs(half.mean() - images.mean()) < 0.01
    assert half.std() < images.std()
