"""`titian validate speed` says what it measured, and its exit code says whether it held."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.validation.speed import endpoints, models
from typer.testing import CliRunner

from titian.cli.app import app
from titian.validation.speed.sweep import sweep

RUNNER = CliRunner()
QUICK = ["--min-duration-s", "0.05", "--min-queries", "700"]


@pytest.fixture
def model(tmp_path):
    return models.linear(tmp_path / "m.onnx", 32, repeats=3)


def titian(*arguments):
    return RUNNER.invoke(app, ["validate", "speed", *map(str, arguments)])


def document(*arguments):
    """Return the exit code and the JSON document."""
    result = titian(*arguments, "--json")
    assert result.stdout, result.output
    return result.exit_code, json.loads(result.stdout)


def test_the_document_holds_every_number(model):
    code, said = document(model, *QUICK, "--target-latency-ms", 1000, "--percentile", 99)
    assert code == 0
    assert said["model"]["inputs"] == {"x": [1, 32]}
    assert said["load"]["scenario"] == "single-stream"
    assert said["run"]["queries"] == said["run"]["answered"] >= 700
    assert said["bound"]["verdict"] == "met"
    assert said["bound"]["needed"] == 459
    assert [row["percentile"] for row in said["latency_ms"]["percentiles"]] == [
        50, 90, 95, 97, 99, 99.9,
    ]  # fmt: skip
    assert said["work"]["parameters"] == 2 * 32 * 32 + 32 * 3 + 3
    assert said["machine"]["before"]["libraries"]["onnxruntime"]
    assert said["against"] is None
    assert said["notes"][0] == "free axes were taken as 1: x (free, 32) as (1, 32)"
    for key in ("energy_j", "cpu_s"):
        assert said["resources"][key] is not None or said["resources"]["reasons"][key]


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["--target-latency-ms", "0.0001"], "not met"),
        (["--target-latency-ms", "1000", "--percentile", "99.9"], "not shown"),
    ],
)
def test_a_bound_that_is_not_shown_exits_1(model, options, verdict):
    code, said = document(model, *QUICK, *options)
    assert (code, said["bound"]["verdict"]) == (1, verdict)


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("multi-stream", ["--samples-per-query", "3"]),
        ("server", ["--target-qps", "1000", "--workers", "1"]),
        ("offline", ["--batch", "4", "--workers", "1"]),
    ],
)
def test_every_scenario_runs(model, scenario, options):
    code, said = document(model, "--scenario", scenario, *QUICK, *options)
    assert code == 0
    assert said["run"]["answered"] == said["run"]["queries"]
    assert said["samples_per_s"]["value"] > 0


def test_a_regression_exits_1_and_an_equal_model_does_not(model, tmp_path):
    slow = models.linear(tmp_path / "slow.onnx", 512, repeats=8)
    code, said = document(slow, "--against", model, "--max-ratio", 1.5, *QUICK)
    assert (code, said["against"]["verdict"]) == (1, "not met")
    assert said["against"]["ratio"]["low"] > 1.5
    code, said = document(model, "--against", model, "--max-ratio", 1.5, *QUICK)
    assert (code, said["against"]["verdict"]) == (0, "met")
    assert said["against"]["largest_difference"] == 0.0


def test_a_sweep_is_drawn(model, tmp_path, monkeypatch):
    few = {"batches": (1, 4), "threads": (1,), "turn_s": 0.01, "progress": None}
    monkeypatch.setattr(sweep, "__kwdefaults__", few)
    code, said = document(model, *QUICK, "--sweep", "--figures", tmp_path / "pictures")
    assert code == 0
    assert [(row["batch"], row["threads"]) for row in said["sweep"]] == [(1, 1), (4, 1)]
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["latency.svg", "sweep.svg"]
    text = (tmp_path / "pictures" / "sweep.svg").read_text()
    assert text.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in text


def test_people_get_a_page(model):
    result = titian(model, *QUICK, "--target-latency-ms", 1000, "--against", model)
    assert result.exit_code == 0
    said = result.stdout
    assert said.startswith("m.onnx, single-stream, 1 thread(s), 1 worker(s): ")
    for part in ("met: p90 <= 1000 ms holds", "own overhead", "peak memory", "times the time"):
        assert part in said


def test_an_endpoint_is_measured_and_its_resources_are_not_shown():
    with endpoints.endpoint() as (url, _):
        code, said = document(url, "--min-duration-s", "0", "--min-queries", "70")
    assert code == 0
    assert said["model"]["kind"] == "http"
    assert said["resources"]["cpu_s"] is None
    assert said["resources"]["reasons"]["cpu_s"] == "the system runs in another process"
    assert said["work"] is None


def test_a_refused_connection_exits_2():
    result = titian(f"http://127.0.0.1:{endpoints.closed_port()}{endpoints.PATH}")
    assert result.exit_code == 2
    assert "T-V167" in result.stderr


def test_real_arrays_and_shapes_are_taken(tmp_path):
    path = models.convolution(tmp_path / "m.onnx")
    result = titian(path, *QUICK)
    assert result.exit_code == 2
    assert "T-V165" in result.stderr
    code, said = document(path, "--shape", "image=1,3,16,12", *QUICK)
    assert (code, said["model"]["inputs"]) == (0, {"image": [1, 3, 16, 12]})
    np.savez(tmp_path / "real.npz", image=np.ones((1, 3, 8, 8), np.float32))
    code, said = document(path, "--inputs", tmp_path / "real.npz", *QUICK)
    assert (code, said["model"]["inputs"]) == (0, {"image": [1, 3, 8, 8]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "burst"], "T-V161: scenario 'burst' is unknown"),
        (["--shape", "x:1,2"], "T-V168: --shape 'x:1,2' is not NAME=1,3,224,224."),
        (["--shape", "x=0,2"], "T-V168"),
        (["--inputs", "missing.npz"], "T-V169: missing.npz holds no plain arrays"),
        (["--max-ratio", "1.2"], "T-V170: --max-ratio compares with another model"),
        (["--timeout-s", "nan"], "T-V170: --timeout-s is nan"),
    ],
)
def test_bad_options_exit_2(model, arguments, message):
    result = titian(model, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_model_that_answers_no_numbers_is_timed_and_noted(tmp_path):
    code, said = document(models.not_a_number(tmp_path / "m.onnx"), *QUICK)
    assert code == 0
    assert said["model"]["answers_finite"] is False
    assert "the answers to the warm-up hold NaN or infinity" in said["notes"]
    assert said["run"]["answered"] >= 700
