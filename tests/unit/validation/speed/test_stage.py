"""The stage times the released model and states what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.unit.validation.speed import models

from titian.dataset.parquet import read_columns
from titian.dataset.records import Records, write_records
from titian.errors import InputError
from titian.models import Card, with_card
from titian.validation.speed import stage
from titian.validation.speed.stage import SPEED, SpeedBlock, SpeedSettings, input_shapes
from titian.values import Data, Project, from_json, to_json


@dataclass(frozen=True)
class FakeContext:
    folder: Path
    seed: int = 7

    def progress(self, step, done, total):
        assert step
        assert 0 <= done <= total


def project(block):
    return Project(
        name="p",
        intended_use="",
        data=Data(table="t.csv", label="y"),
        blocks={} if block is None else {"speed": block},
    )


def carded(path, kind):
    card = Card(input=kind, classes=("0", "1"), positive="1", threshold=0.5)
    path.write_bytes(with_card(onnx.load(path), card).SerializeToString())
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    write_records(
        Records(
            case=np.arange(3),
            label=np.array(["0", "1", "0"]),
            image=np.array(["a.png", "b.png", "c.png"]),
            sha256=np.array(["0" * 64] * 3),
            files={
                "width": np.array([20.0, 30.0, np.nan]),
                "height": np.array([16.0, 16.0, 40.0]),
                "bits": np.full(3, 8.0),
                "device": np.array(["", "", ""]),
                "fingerprint": np.array(["", "", ""]),
            },
        ),
        folder / "records.parquet",
    )
    carded(models.convolution(folder / "image.onnx"), "image")
    carded(models.linear(folder / "table.onnx"), "table")
    return folder


def test_a_project_without_the_block_is_not_timed():
    assert SPEED.configure(project(None)) is None


def test_a_block_that_asks_for_the_impossible_is_refused():
    with pytest.raises(InputError, match="T-V163: the server scenario needs target-qps"):
        SPEED.configure(project(SpeedBlock(scenario="server")))


def test_settings_survive_json():
    settings = SPEED.configure(project(SpeedBlock(target_latency_ms=50.0)))
    assert from_json(SpeedSettings, to_json(settings)) == settings


def test_images_are_timed_at_the_median_size_of_the_cases(inputs):
    shapes = input_shapes(inputs / "image.onnx", inputs / "records.parquet")
    assert shapes == {"image": (1, 3, 16, 25)}
    assert input_shapes(inputs / "table.onnx", inputs / "records.parquet") == {}


def test_a_run_states_its_numbers_and_catches_its_controls(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "sweep", lambda target, **_: ())
    block = SpeedBlock(target_latency_ms=1_000.0, min_duration_s=0.05, percentile=99.0)
    settings = SPEED.configure(project(block))
    ran = SPEED.run(
        settings,
        {"model.fp32": inputs / "image.onnx", "records": inputs / "records.parquet"},
        FakeContext(tmp_path),
    )
    told = {measurement.name: measurement for measurement in ran.measurements}
    assert told["latency_p50"].unit == "ms"
    assert told["latency_p50"].low <= told["latency_p50"].value <= told["latency_p50"].high
    assert told["latency_p99_9"].value > 0
    assert told["parameters"].value == told["parameters"].high == 8 * 3 * 25 + 8
    assert told["model_size"].value == (inputs / "image.onnx").stat().st_size
    assert told["operations"].value > 0
    unknown = [m for m in ran.measurements if m.value is None or not m.intervals]
    assert all(measurement.reason for measurement in unknown)
    assert all(control.found for control in ran.controls)
    assert not ran.replay.derivable
    assert [figure.name for figure in ran.figures] == ["latency", "sweep", "layers"]
    table = read_columns(ran.artifacts["latencies"])
    assert len(table["done_ns"]) == told["latency_p50"].n
    assert (np.diff(table["scheduled_ns"]) > 0).all()
