"""The three examples on real data: from the table to a dossier that verifies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DATA = {
    "heart_disease": "uci_heart_sites",
    "chest_xray": "cxr_nih64",
    "breast_ultrasound": "breast_ultrasound_busi",
}
ROW = {"id", "verdict", "measure", "subgroup", "value", "low", "high", "n"}

pytestmark = pytest.mark.data


@dataclass(frozen=True)
class Run:
    """A finished example."""

    name: str
    exit_code: int
    document: dict[str, Any]
    errors: str

    @property
    def dossier(self) -> Path:
        return Path(self.document["dossier"])

    def rows(self, requirement: str) -> list[dict[str, Any]]:
        return [row for row in self.document["verdicts"] if row["id"] == requirement]


def titian(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "titian", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module", params=DATA)
def finished(
    request: pytest.FixtureRequest,
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Run]:
    """Run one example in a copy of its folder, with keys of its own."""
    name = request.param
    data = shared_data / DATA[name]
    if not data.is_dir():
        pytest.skip(f"no {data}")
    base = tmp_path_factory.mktemp(name)
    folder = base / name
    folder.mkdir()
    shutil.copy(EXAMPLES / name / "titian.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_CONFIG_HOME", str(base / "config"))
        done = titian("run", folder, "--data", data, "--json")
        assert done.returncode in (0, 1), done.stderr
        yield Run(name, done.returncode, json.loads(done.stdout), done.stderr)


def test_the_document_has_the_promised_shape(finished):
    document = finished.document
    assert set(document) >= {"dossier", "verdicts", "findings"}
    assert document["verdicts"]
    for row in document["verdicts"]:
        assert set(row) >= ROW
        assert row["verdict"] in ("met", "not met", "not shown")
        assert row["subgroup"] is None or all(
            isinstance(value, str) for value in row["subgroup"].values()
        )
        if row["low"] is not None:
            assert row["low"] <= row["value"] <= row["high"]
    for finding in document["findings"]:
        assert set(finding) >= {"code", "severity", "where"}
        assert finding["severity"] in ("info", "warning", "error")


def test_the_exit_code_tells_whether_a_requirement_is_not_met(finished):
    failed = any(row["verdict"] == "not met" for row in finished.document["verdicts"])
    assert finished.exit_code == int(failed)


def test_the_dossier_verifies_with_the_key_that_signed_it(finished):
    assert (finished.dossier / "index.html").is_file()
    assert (finished.dossier / "dossier.pdf").read_bytes().startswith(b"%PDF")
    done = titian("verify", finished.dossier)
    assert done.returncode == 0, done.stdout + done.stderr


def test_progress_names_every_stage_on_standard_error(finished):
    for stage in ("ingest", "split", "train", "predict", "validate", "verdict"):
        assert f"] {stage}: done in" in finished.errors
    assert "Traceback" not in finished.errors


def test_a_poor_model_gets_a_poor_dossier(finished):
    """The chest set is hard at 64 pixels: a linear model has an AUC of 0.54."""
    if finished.name != "chest_xray":
        pytest.skip("about the chest set")
    (auc,) = finished.rows("R3")
    assert auc["value"] < 0.75
    assert auc["verdict"] != "met"


def test_a_held_out_hospital_is_ranked_well(finished):
    if finished.name != "heart_disease":
        pytest.skip("about the heart set")
    (auc,) = finished.rows("R1")
    assert auc["n"] == 294, "all of Hungary is tested, and nobody else"
    assert auc["value"] > 0.75


def test_three_classes_are_told_apart_better_than_by_chance(finished):
    if finished.name != "breast_ultrasound":
        pytest.skip("about the breast set")
    (balanced,) = finished.rows("R1")
    assert balanced["value"] > 1 / 3


def test_a_second_run_repeats_nothing(finished, shared_data):
    folder = finished.dossier.parent
    again = titian("run", folder, "--data", shared_data / DATA[finished.name], "--json")
    document = json.loads(again.stdout)
    assert all(stage["cached"] for stage in document["stages"])
    assert document["verdicts"] == finished.document["verdicts"]
