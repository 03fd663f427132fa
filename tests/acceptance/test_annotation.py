"""A project whose labels come from several readers, from raw labels to a sealed dossier."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.studies import PROJECT, write_table_study
from titian.errors import InputError
from titian.evidence.verify import verify
from titian.pipeline.replay import replay
from titian.pipeline.run import RunOutcome, run

READERS = ("Aminah binti Osman", "B. Tan", "C. Devi", "D. Wong")
BLOCK = """\
annotate: {labels: readings.csv, task: visit, currency: MYR, pay_per_label: 0.5}
"""
NO_SPAM = "  - {id: R4, finding: annotation.spammer, at_most: 0}\n"


def write_annotated_study(folder: Path, *, spammer: bool) -> Path:
    """Write a table without its label column, and three of four readers' labels a row."""
    write_table_study(folder)
    table = (folder / "table.csv").read_text().splitlines()
    header = table[0].split(",")
    place = header.index("sick")
    rows = [line.split(",") for line in table[1:]]
    truth = [row.pop(place) for row in rows]
    header.remove("sick")
    lines = [",".join(["visit", *header])]
    lines += [f"v{i:04d}," + ",".join(row) for i, row in enumerate(rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    rng = np.random.default_rng(8)
    readings = ["task,worker,label"]
    for i, true in enumerate(truth):
        for reader in rng.permutation(len(READERS))[:3].tolist():
            wrong = rng.random() < (0.5 if spammer and reader == 0 else 0.06)
            label = str(1 - int(true)) if wrong else true
            readings.append(f"v{i:04d},{READERS[reader]},{label}")
    (folder / "readings.csv").write_text("\n".join(readings) + "\n")
    text = PROJECT.replace("training:", f"{BLOCK}training:") + NO_SPAM
    text = text.replace("attributes:", "features: {exclude: [visit]}\n  attributes:")
    (folder / "titian.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the user's own keys out of the tests."""
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> tuple[Path, RunOutcome]:
    folder = write_annotated_study(tmp_path_factory.mktemp("read") / "project", spammer=False)
    return folder, run(folder)


@pytest.fixture
def project(finished: tuple[Path, RunOutcome], tmp_path: Path) -> Path:
    return shutil.copytree(finished[0], tmp_path / "project")


def stages(outcome: RunOutcome) -> dict[str, bool]:
    return {stage.name: stage.cached for stage in outcome.stages}


def test_a_table_without_labels_is_labelled_by_its_readers(finished):
    _, outcome = finished
    assert list(stages(outcome))[:3] == ["annotate", "ingest-annotated", "split"]
    assert "ingest" not in stages(outcome)
    verdict = {row.id: row.verdict.value for row in outcome.verdicts}
    assert verdict["R1"] == "met"
    assert verdict["R4"] == "met"
    assert verify(outcome.dossier).ok


def test_no_name_of_a_reader_stands_in_the_dossier(finished):
    folder, outcome = finished
    for path in outcome.dossier.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert [n for n in READERS if n.encode() in content] == [], path.name
    ledger = b"".join(p.read_bytes() for p in (folder / ".titian" / "ledger").iterdir())
    assert [name for name in READERS if name.encode() in ledger] == []


def test_one_changed_reading_is_noticed(project):
    path = project / "readings.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1][:-1] + str(1 - int(lines[1][-1]))
    path.write_text("\n".join(lines) + "\n")
    assert not stages(run(project))["annotate"]


def test_nothing_changed_takes_every_stage_from_before(project):
    run(project)
    assert all(stages(run(project)).values())


def test_a_spammer_is_found_and_fails_the_requirement(tmp_path, keys):
    outcome = run(write_annotated_study(tmp_path / "project", spammer=True))
    assert [f.code for f in outcome.findings].count("annotation.spammer") == 1
    (row,) = [row for row in outcome.verdicts if row.id == "R4"]
    assert row.verdict.value == "not met"


def test_replay_with_the_data_is_identical(finished):
    folder, outcome = finished
    report = replay(outcome.dossier, data=folder)
    assert not report.failed
    assert {row.outcome for row in report.rows} == {"identical"}


def test_taking_the_block_away_asks_for_the_column_again(project):
    text = (project / "titian.yaml").read_text().replace(BLOCK, "").replace(NO_SPAM, "")
    (project / "titian.yaml").write_text(text)
    with pytest.raises(InputError, match=r"T-D010: data\.label names the column 'sick'"):
        run(project)


def test_unread_cases_are_left_out_and_counted(project):
    path = project / "readings.csv"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("v0003,")]
    path.write_text("\n".join(kept) + "\n")
    outcome = run(project)
    (finding,) = [f for f in outcome.findings if f.code == "annotation.unlabelled"]
    assert finding.where == "case 3"


def test_a_class_that_readers_never_name_is_refused(project):
    path = project / "readings.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line[:-1] + "0" for line in lines[1:])]) + "\n")
    with pytest.raises(InputError) as refused:
        run(project)
    assert [p.code for p in refused.value.problems] == ["T-D012", "T-D013"]


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("annotate:\n", "T-P011"),
        ("annotate: {labels: readings.csv, taks: visit}\n", "T-P010"),
        ("annotate: {labels: readings.csv}\n", "T-A352"),
        ("annotate: {labels: readings.csv, task: vist}\n", "T-A352"),
        ("annotate: {labels: nowhere.csv, task: visit}\n", "T-A020"),
        ("annotate: {labels: ../readings.csv, task: visit}\n", "T-D030"),
        ("annotate: {labels: readings.csv, task: visit, method: guess}\n", "T-A356"),
    ],
)
def test_a_wrong_block_is_refused(project, block, code):
    text = (project / "titian.yaml").read_text().replace(BLOCK, block)
    (project / "titian.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        run(project)
    assert code in [problem.code for problem in refused.value.problems]
