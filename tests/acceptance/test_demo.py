"""The demo finds every fault that it plants, verifies, and looks as the README says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def titian(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "titian", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def document(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        done = titian("demo", "demo", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


def test_every_planted_fault_is_found(document):
    assert [item["fault"] for item in document["planted"] if not item["found"]] == []
    assert len(document["planted"]) >= 5
    assert document["verified"]


def test_the_verdicts_take_all_three_values(document):
    values = {row["verdict"] for row in document["verdicts"]}
    assert values == {"met", "not met", "not shown"}


def test_the_weak_site_is_not_met(document):
    row = next(row for row in document["verdicts"] if row["subgroup"] == {"site": "south"})
    assert row["verdict"] == "not met"
    assert row["high"] < 0.7


def test_every_control_of_the_run_was_caught(folder, document):
    record = json.loads((folder / "demo" / "dossier" / "dossier.json").read_bytes())
    text = json.dumps(record["controls"])
    assert '"found"' in text
    assert '"value": false' not in text


def test_the_readme_shows_what_the_demo_prints(folder, document):
    printed = {shape(line) for line in titian("demo", "demo", cwd=folder).stdout.splitlines()}
    excerpt = README.read_text(encoding="utf-8").split("<!-- demo output:")[1]
    shown = [shape(line) for line in excerpt.split("```")[1].splitlines() if line.strip()]
    assert [line for line in shown if not any(p.startswith(line) for p in printed)] == []


def test_another_project_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = titian("demo", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "T-X026: . holds other files" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"


def shape(line: str) -> str:
    """Return a printed line without its numbers and its spacing."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "#", line)).strip()
