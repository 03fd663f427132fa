"""`titian accelerator quantize` as a person and as a program meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.accelerator.small_networks import Chain, inputs_for, small_cnn
from typer.testing import CliRunner

from titian.cli.app import app

SHAPE = (3, 13, 11)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cnn.onnx").write_bytes(small_cnn())
    labels = np.random.default_rng(0).integers(0, 4, 60)
    np.savez(tmp_path / "x.npz", x=inputs_for(SHAPE, 60), y=labels)
    return tmp_path


def call(folder: Path, *more: str, model: str = "cnn.onnx", data: str = "x.npz") -> Any:
    return CliRunner().invoke(
        app,
        ["accelerator", "quantize", str(folder / model), "--calibration", str(folder / data),
         "--out", str(folder / "int8.onnx"), *more],
    )  # fmt: skip


def test_json_names_layers_certificates_and_the_paired_change(folder: Path) -> None:
    outcome = call(folder, "--json")
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert [row["kind"] for row in document["layers"]] == [
        "convolution", "maxpool", "convolution", "convolution", "convolution", "convolution",
    ]  # fmt: skip
    assert document["channels"] == 36
    assert document["certified_channels"] >= 30
    assert document["reference"]["different"] == 0
    assert document["reference"]["optimisation"] == "disabled"
    accuracy = document["accuracy"]
    assert accuracy["n"] == 60
    assert (
        accuracy["change"]["low"] <= accuracy["change"]["value"] <= accuracy["change"]["high"]
    )
    assert document["host"] == [{"name": "Softmax_t9", "operator": "Softmax"}]
    assert (folder / "int8.onnx").stat().st_size > 1000


def test_without_labels_accuracy_is_not_shown(folder: Path) -> None:
    np.savez(folder / "bare.npz", x=inputs_for(SHAPE, 8))
    outcome = call(folder, data="bare.npz")
    assert outcome.exit_code == 0, outcome.output
    assert "Accuracy: not shown; the calibration file holds no labels (y)." in outcome.output


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.zeros((4, 2, 13, 11), np.float32)},
            "T-C108: bad.npz: the array for 'x' has shape (4, 2, 13, 11) and type float32; "
            "cnn.onnx takes numbers of shape (n, 3, 13, 11) with n at least 1. Give data as "
            "they enter the model, one case a row.",
        ),
        (
            {"a": np.zeros(3), "b": np.zeros(3)},
            "T-C107: bad.npz holds 'a', 'b'; the model's input is 'x'. Save it with "
            "numpy.savez('bad.npz', x=..., y=...).",
        ),
        (
            {"x": np.full((2, 3, 13, 11), np.nan, np.float32)},
            "T-C109: bad.npz: case 0 of 'x' holds NaN or infinity, which no 8-bit range can "
            "hold. Leave such cases out, or fill them as the model's training did.",
        ),
        (
            {"x": np.zeros((2, 3, 13, 11), np.float32), "y": np.zeros(3, np.int64)},
            "T-C110: bad.npz: 'y' has shape (3,) and type int64; labels are integers of shape "
            "(2,), counted from 0. Save one class number a case.",
        ),
    ],
)
def test_bad_calibration_data_is_refused(
    folder: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(folder / "bad.npz", **arrays)
    outcome = call(folder, data="bad.npz")
    assert outcome.exit_code == 2
    assert outcome.stderr.strip() == message
    assert not (folder / "int8.onnx").exists()


def test_every_operator_without_an_integer_form_is_named(folder: Path) -> None:
    chain = Chain((3, 8, 8)).conv(3, 4, 3).node("Sigmoid", name="gate").conv(4, 4, 3)
    (folder / "gated.onnx").write_bytes(chain.node("Tanh", name="end").bytes())
    np.savez(folder / "x8.npz", x=inputs_for((3, 8, 8), 4))
    outcome = call(folder, model="gated.onnx", data="x8.npz")
    assert outcome.exit_code == 2
    assert outcome.stderr.strip() == (
        "T-C102: gated.onnx: node 'gate' is Sigmoid, which has no integer form here. Replace "
        "it, or cut the model before it; read are: Conv, Gemm, MatMul, Relu, Clip, MaxPool, "
        "AveragePool, GlobalAveragePool, ReduceMean, Flatten, Reshape, Add."
    )


def test_a_quantised_model_is_refused(folder: Path) -> None:
    assert call(folder).exit_code == 0
    outcome = call(folder, model="int8.onnx")
    assert outcome.exit_code == 2
    assert outcome.stderr.strip() == (
        "T-C101: int8.onnx is quantised already. Give the model in floating point."
    )
