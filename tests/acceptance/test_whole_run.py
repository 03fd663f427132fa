"""Whole runs of a tiny simulated table: cache, lock, full disk, keys, replay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.studies import PROJECT, write_table_study
from titian.dataset.index import RACY_NS
from titian.evidence.verify import verify
from titian.pipeline.project import read_project
from titian.pipeline.replay import replay
from titian.pipeline.run import run
from titian.pipeline.status import status
from titian.pipeline.store import project_lock
from titian.values import VerdictValue


def titian(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "titian", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the user's own keys out of the tests."""
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A project that ran once; copy it before changing it."""
    folder = write_table_study(tmp_path_factory.mktemp("whole") / "project")
    run(folder)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "project")


def test_a_run_in_which_nothing_changed_changes_nothing(project):
    def snapshot():
        return {p: p.stat().st_mtime_ns for p in project.rglob("*") if p.is_file()}

    # The copy has new inodes, and files younger than the index's patience are hashed again.
    time.sleep(RACY_NS / 1e9)
    run(project)
    before = snapshot()
    outcome = run(project)
    after = snapshot()
    assert all(stage.cached for stage in outcome.stages)
    assert {p for p in after if after[p] != before.get(p)} <= {project / ".titian" / "lock"}


def test_one_changed_cell_runs_the_road_again(project):
    table = project / "table.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[3], "0.1234")
    table.write_text("\n".join(lines) + "\n")
    outcome = run(project)
    assert not next(stage for stage in outcome.stages if stage.name == "ingest").cached


def test_another_bound_judges_again_and_trains_nothing(project):
    text = (project / "titian.yaml").read_text().replace("at_least: 0.6", "at_least: 0.999")
    (project / "titian.yaml").write_text(text)
    outcome = run(project)
    assert {stage.name for stage in outcome.stages if not stage.cached} == {"verdict"}
    assert outcome.verdicts[0].verdict is VerdictValue.NOT_MET


def test_a_lost_artifact_is_made_again(project):
    model = max((project / ".titian" / "store").rglob("*"), key=lambda p: p.stat().st_size)
    model.unlink()
    assert verify(run(project).dossier).ok


def test_a_changed_dossier_is_drawn_again(project):
    page = project / "dossier" / "index.html"
    page.write_text(page.read_text() + " ")
    assert not verify(project / "dossier").ok
    run(project)
    assert verify(project / "dossier").ok


def test_two_runs_at_once_are_refused(project):
    with project_lock(project / ".titian"):
        second = titian("run", project)
    assert second.returncode == 2
    assert "T-X021: another run is at work in" in second.stderr


def test_a_missing_data_folder_is_refused(project):
    done = titian("run", project, "--data", project / "nowhere")
    assert done.returncode == 2
    assert "T-X024: the data folder" in done.stderr


def test_a_named_key_that_is_missing_is_refused(project):
    (project / "titian.yaml").write_text(PROJECT + "key: boston\n")
    done = titian("run", project)
    assert done.returncode == 2
    assert "T-E001" in done.stderr


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, keys):
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this system mounts no tmpfs")
    try:
        folder = write_table_study(disk / "project")
        stopped = titian("run", folder)
        assert stopped.returncode == 3, stopped.stderr
        assert "full" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        finished = titian("run", folder, "--json")
        assert finished.returncode in (0, 1), finished.stderr
        assert verify(Path(json.loads(finished.stdout)["dossier"])).ok
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_replay_with_the_data_is_identical(finished):
    report = replay(finished / "dossier", data=finished)
    assert not report.failed
    assert {row.outcome for row in report.rows} == {"identical"}


def test_replay_without_the_data_derives_the_verdicts(finished):
    rows = {row.stage: row.outcome for row in replay(finished / "dossier.zip").rows}
    assert rows["verdict"] == "identical"
    assert rows["train"] == "not replayed"


def test_shipped_cases_let_validation_be_replayed_without_the_data(project):
    text = (project / "titian.yaml").read_text() + "dossier: {cases: true}\n"
    (project / "titian.yaml").write_text(text)
    run(project)
    rows = {row.stage: row.outcome for row in replay(project / "dossier").rows}
    assert rows["validate"] == "identical"


COMPARED_AND_TIMED = """\
  - {id: R4, measure: equal_opportunity, at_most: 0.6, for_each: [sex]}
  - {id: R5, measure: latency_p90, at_most: 10000}
disparity: {}
speed: {min_duration_s: 0.1}
dossier: {cases: true}
"""


def test_what_cannot_be_derived_is_judged_from_its_own_statement(project):
    text = (project / "titian.yaml").read_text() + COMPARED_AND_TIMED
    (project / "titian.yaml").write_text(text)
    judged = {row.id: row for row in run(project).verdicts}
    assert judged["R4"].subgroup == {"sex": "all groups"}
    assert judged["R5"].verdict is VerdictValue.MET
    assert judged["R5"].bound == "<= 10000 ms"
    again = {row.stage: row.outcome for row in replay(project / "dossier", data=project).rows}
    assert (again["speed"], again["disparity"]) == ("not replayed", "identical")
    assert again["verdict"] == "identical"
    shipped = {row.stage: row.outcome for row in replay(project / "dossier").rows}
    assert (shipped["disparity"], shipped["verdict"]) == ("identical", "identical")


def test_replay_on_other_data_differs(finished, tmp_path):
    other = write_table_study(tmp_path / "other", seed=6)
    done = titian("verify", finished / "dossier", "--replay", "--data", other)
    assert done.returncode == 1
    assert "differs" in done.stdout


def test_status_tells_where_the_project_stands(finished):
    now = status(finished)
    assert now.project == read_project(finished).name
    assert all(stage.end for stage in now.stages)
    assert sum(now.verdicts.values()) == 4


def test_json_is_one_document(project):
    done = titian("run", project, "--json")
    document = json.loads(done.stdout)
    assert set(document) >= {"dossier", "verdicts", "findings"}
    row = document["verdicts"][0]
    assert set(row) >= {"id", "verdict", "measure", "subgroup", "value", "low", "high", "n"}
