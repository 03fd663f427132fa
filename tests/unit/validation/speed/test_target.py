"""Models are opened, fed and warmed up, or refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.validation.speed import models

from titian.errors import InputError
from titian.validation.speed.target import CallableTarget, open_target


def test_free_axes_become_one_and_a_note_says_so(tmp_path):
    target = open_target(models.linear(tmp_path / "m.onnx"))
    assert target.shapes == (("x", (1, 4)),)
    assert target.notes == ("free axes were taken as 1: x (free, 4) as (1, 4)",)
    assert target.batch is None
    assert target.finite


def test_several_samples_go_in_one_call(tmp_path):
    target = open_target(models.linear(tmp_path / "m.onnx"))
    assert target.answer(0, 5)[0].shape == (5, 3)


def test_a_fixed_batch_is_called_as_often_as_needed(tmp_path):
    target = open_target(models.linear(tmp_path / "m.onnx", batch=2))
    assert target.batch == 2
    assert target.notes == ("the model takes 2 samples a call and no other number",)
    assert target.answer(0, 5)[0].shape == (2, 3)


def test_a_shape_is_used(tmp_path):
    path = models.convolution(tmp_path / "m.onnx")
    target = open_target(path, shapes={"image": (1, 3, 16, 12)})
    assert target.shapes == (("image", (1, 3, 16, 12)),)


def test_an_input_that_the_graph_refuses_is_told(tmp_path):
    with pytest.raises(InputError) as refused:
        open_target(models.convolution(tmp_path / "m.onnx"))
    assert str(refused.value).startswith("T-V165: m.onnx does not run on image (1, 3, 1, 1): ")
    assert "Give the shape of a real input with --shape NAME=1,3,224,224" in str(refused.value)


def test_shapes_and_arrays_that_do_not_fit_are_all_told(tmp_path):
    path = models.convolution(tmp_path / "m.onnx")
    with pytest.raises(InputError) as refused:
        open_target(path, shapes={"image": (1, 4, 16, 12), "mask": (1,)})
    assert str(refused.value) == (
        "T-V164: m.onnx has no input 'mask'; it has 'image'. Give shapes or arrays as the "
        "model's inputs state them.\n"
        "T-V164: m.onnx: input 'image' is (free, 3, free, free); (1, 4, 16, 12) does not fit. "
        "Give shapes or arrays as the model's inputs state them."
    )


def test_real_arrays_are_used(tmp_path):
    path = models.linear(tmp_path / "m.onnx")
    target = open_target(path, inputs={"x": np.zeros((1, 4))})
    again = open_target(path, inputs={"x": np.zeros((1, 4))}, seed=9)
    assert (target.outputs["y"] == again.outputs["y"]).all()
    with pytest.raises(InputError, match=r"\(1, 5\) does not fit"):
        open_target(path, inputs={"x": np.zeros((1, 5))})


def test_answers_that_are_no_numbers_are_noted(tmp_path):
    target = open_target(models.not_a_number(tmp_path / "m.onnx"))
    assert not target.finite
    assert target.notes[-1] == "the answers to the warm-up hold NaN or infinity"
    target.answer(0, 1)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match="T-M001"):
        open_target(path)


def test_a_seed_gives_the_input_again(tmp_path):
    path = models.linear(tmp_path / "m.onnx")
    one, two, other = (open_target(path, seed=seed).feeds[1]["x"] for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_a_callable_answers_once_a_sample():
    asked = []
    CallableTarget(function=asked.append).answer(7, 3)
    assert asked == [7, 7, 7]
