"""Ingest and split as a run calls them: on the phantom, on faults, on real tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from titian.dataset import faults
from titian.dataset.phantom import make_phantom, write_phantom
from titian.dataset.records import read_records
from titian.dataset.split import read_split
from titian.dataset.stage import INGEST, SPLIT
from titian.errors import InputError
from titian.stage import StageResult
from titian.values import Attribute, Data, Project, Split, to_json

SITES = Split(column="fold", train_values=("train",), test_values=("test",))
PHANTOM = Data(
    table="labels.csv",
    image="image",
    label="malignant",
    positive="1",
    subject="patient",
    attributes=(
        Attribute(column="site"),
        Attribute(column="sex"),
        Attribute(column="age", bands=(0, 40, 60, 120)),
    ),
    split=SITES,
)


@dataclass
class Bench:
    """A context that runs everything here."""

    folder: Path
    scratch: Path
    seed: int = 7

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)

    def progress(self, step, done, total):
        assert 0 <= done <= total, step

    def map(self, function, items, *, step):
        assert step
        return [function(item, np.random.default_rng(0)) for item in items]


def run(data: Data, root: Path, folder: Path) -> tuple[StageResult, StageResult]:
    project = Project(name="p", intended_use="u", data=data)
    results = []
    inputs = {"source": root}
    for stage in (INGEST, SPLIT):
        out = folder / stage.name
        out.mkdir(parents=True)
        settings = stage.configure(project)
        assert settings is not None
        result = stage.run(settings, inputs, Bench(folder=out, scratch=out))
        inputs |= result.artifacts
        to_json([result.measurements, result.findings, result.figures, result.controls])
        results.append(result)
    return results[0], results[1]


def codes(*results: StageResult) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results:
        for finding in result.findings:
            found.setdefault(finding.code, []).append(finding.where)
    return found


@pytest.fixture(scope="module")
def clean():
    return make_phantom(seed=11, patients=150)


def test_the_clean_phantom_has_no_finding_and_every_control_bites(clean, tmp_path):
    write_phantom(clean, tmp_path / "data")
    ingested, divided = run(PHANTOM, tmp_path / "data", tmp_path / "out")
    assert codes(ingested, divided) == {}
    controls = (*ingested.controls, *divided.controls)
    assert {c.check for c in controls if c.found} == {
        "data.corrupt_file",
        "data.subject_leak",
        "data.duplicate_leak",
        "data.near_duplicate_leak",
        "data.label_giveaway",
    }
    records = read_records(ingested.artifacts["records"])
    part = read_split(divided.artifacts["split"], records.case)
    assert len(records) == len(clean.cases)
    assert set(records.attributes["age"]) <= {"[0,40)", "[40,60)", "[60,120)"}
    assert [c.fold == "test" for c in clean.cases] == (part == "test").tolist()
    assert ingested.measurements[0].value == len(clean.cases)


def test_every_planted_fault_is_found_where_it_is(clean, tmp_path):
    rng = np.random.default_rng(4)
    planted = []
    study = clean
    for plant in (
        faults.plant_subject_on_two_sides,
        faults.plant_near_copy,
        faults.plant_label_giveaway,
        faults.plant_corrupt_file,
    ):
        fault = plant(study, rng=rng)
        study = fault.study
        planted.append(fault)
    write_phantom(study, tmp_path / "data")
    attributes = (*PHANTOM.attributes, Attribute(column="room"))
    data = replace(PHANTOM, attributes=attributes)
    with pytest.raises(InputError) as caught:
        run(data, tmp_path / "data", tmp_path / "refused")
    [problem] = caught.value.problems
    assert problem.code == "T-D041"
    assert study.cases[planted[3].cases[0]].path in problem.message
    data = replace(data, unreadable="exclude")
    ingested, divided = run(data, tmp_path / "data", tmp_path / "out")
    found = codes(ingested, divided)
    assert sorted(found) == sorted(fault.check for fault in planted)
    for fault in planted[:2] + planted[3:]:
        numbers = {int(word.strip(",")) for word in found[fault.check][0].split()[1:]}
        assert numbers <= set(fault.cases), fault.fault
        assert len(found[fault.check]) == 1, fault.fault


def test_the_phantom_is_the_same_for_the_same_seed(tmp_path):
    digests = []
    for name in ("one", "two"):
        write_phantom(make_phantom(seed=5, patients=12), tmp_path / name)
        files = sorted((tmp_path / name).rglob("*.*"))
        digests.append(
            hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        )
    assert digests[0] == digests[1]


def test_the_phantom_says_that_it_is_synthetic(tmp_path):
    import pydicom

    write_phantom(make_phantom(seed=5, patients=3), tmp_path)
    data = pydicom.dcmread(next((tmp_path / "images").iterdir()))
    assert data.ImageComments == "SYNTHETIC: simulated phantom image, not of a patient"
    assert str(data.PatientName).startswith("PHANTOM")


def test_missing_and_corrupt_images_are_refused_together(tmp_path):
    study = make_phantom(seed=5, patients=12)
    write_phantom(study, tmp_path / "data")
    paths = [tmp_path / "data" / case.path for case in study.cases]
    paths[0].unlink()
    paths[1].write_bytes(b"no picture")
    paths[2].write_bytes(b"")
    data = replace(PHANTOM, split=Split())
    with pytest.raises(InputError) as caught:
        run(data, tmp_path / "data", tmp_path / "out")
    assert [problem.code for problem in caught.value.problems] == ["T-D040", "T-D041", "T-D041"]


def test_an_attribute_value_seen_once_is_a_warning(tmp_path):
    rows = "".join(f"{i},{i % 2},{'X' if i == 9 else 'FM'[i % 3 % 2]}\n" for i in range(60))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("x,y,sex\n" + rows)
    data = Data(table="t.csv", label="y", positive="1", attributes=(Attribute(column="sex"),))
    ingested, _ = run(data, tmp_path / "data", tmp_path / "out")
    assert codes(ingested) == {"data.rare_value": ["case 9"]}


def test_a_value_in_no_list_is_left_out_and_said(tmp_path):
    rows = "".join(f"{i},{i % 2},{'abc'[i % 3]}\n" for i in range(90))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("x,y,site\n" + rows)
    split = Split(column="site", train_values=("a",), test_values=("b",))
    data = Data(table="t.csv", label="y", positive="1", split=split)
    _, divided = run(data, tmp_path / "data", tmp_path / "out")
    assert list(codes(divided)) == ["data.unassigned"]


HEART = Data(
    table="heart.csv",
    label="disease",
    positive="1",
    attributes=(Attribute(column="sex"), Attribute(column="age", bands=(0, 50, 60, 120))),
    exclude=("num",),
    split=Split(column="site", train_values=("cleveland",), test_values=("hungarian",)),
)


@pytest.mark.data
def test_heart_gives_its_label_away_only_through_num(shared_data, tmp_path):
    root = shared_data / "uci_heart_sites"
    honest = codes(*run(HEART, root, tmp_path / "honest"))
    assert list(honest) == ["data.duplicate_rows"]
    leaking = codes(*run(replace(HEART, exclude=()), root, tmp_path / "leaking"))
    assert "data.label_giveaway" in leaking


@pytest.mark.data
def test_chest_patients_are_kept_apart_and_no_one_is_called_a_copy(shared_data, tmp_path):
    data = Data(
        table="metadata.csv",
        image="image",
        label="abnormal",
        positive="1",
        subject="patient_id",
        attributes=(Attribute(column="sex"), Attribute(column="view")),
    )
    results = run(data, shared_data / "cxr_nih64", tmp_path)
    assert codes(*results) == {}
    records = read_records(results[0].artifacts["records"])
    part = read_split(results[1].artifacts["split"], records.case)
    shares = [float(np.mean(part == name)) for name in ("train", "tune", "test")]
    assert np.allclose(shares, (0.6, 0.15, 0.25), atol=0.08)


@pytest.mark.data
def test_breast_ultrasound_holds_near_copies_that_its_authors_left(shared_data, tmp_path):
    data = Data(table="labels.csv", image="image", label="label")
    found = codes(*run(data, shared_data / "breast_ultrasound_busi", tmp_path))
    assert set(found) == {"data.near_duplicate_leak"}
    assert len(found["data.near_duplicate_leak"]) >= 20
