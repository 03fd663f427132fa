"""`titian accelerator build` and `simulate` refuse what they cannot do, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.accelerator.small_networks import inputs_for, small_mlp
from typer.testing import CliRunner

from titian.accelerator.quantization.quantizer import quantize
from titian.cli.app import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = small_mlp()
    (tmp_path / "mlp.onnx").write_bytes(content)
    made = quantize(content, inputs_for((12,), 8), name="mlp.onnx")
    (tmp_path / "int8.onnx").write_bytes(made.content)
    np.savez(tmp_path / "x.npz", x=inputs_for((12,), 4))
    return tmp_path


def call(*words: str) -> str:
    outcome = CliRunner().invoke(app, ["accelerator", *words])
    assert outcome.exit_code == 2, outcome.output
    return outcome.stderr.strip()


def build(folder: Path, *more: str, model: str = "int8.onnx") -> str:
    sides = more or ("--rows", "2", "--cols", "2")
    return call("build", str(folder / model), *sides, "--out", str(folder / "out"))


def test_a_model_that_is_not_quantised_is_refused(folder: Path) -> None:
    assert build(folder, model="mlp.onnx") == (
        "T-C101: mlp.onnx is not quantised: it holds Gemm, Relu and no integer operator. Run "
        "`titian accelerator quantize MODEL.onnx --calibration X.npz --out M.int8.onnx` first."
    )


def test_wrong_sides_and_templates_are_named_together(folder: Path) -> None:
    assert build(folder, "--rows", "0", "--cols", "2", "--template", "xs") == (
        "T-C120: 0 x 2 is no array; rows and columns go from 1 to 64. Give another --rows or "
        "--cols.\n\nT-C123: template 'xs' does not exist. Give one of: os."
    )


def test_a_folder_of_other_things_is_left_alone(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "letter.txt").write_text("dear")
    assert build(folder) == (
        f"T-C126: {folder / 'out'} holds something that is no earlier build. Give a new "
        "folder, or empty this one."
    )


def test_simulating_what_was_never_built_is_refused(folder: Path) -> None:
    assert call("simulate", str(folder), str(folder / "x.npz")) == (
        f"T-C127: {folder} holds no finished build. Make one with `titian accelerator build`."
    )
