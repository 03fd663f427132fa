"""docs/howto/add-a-stage.md works as printed: its code is put into a copy and run."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.studies import write_table_study
from tests.gates.hygiene import ROOT

PAGE = ROOT / "docs" / "howto" / "add-a-stage.md"
BLOCK = re.compile(
    r"^`(?P<path>[^`\n]+)`\n\n```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
BIN = Path(sys.executable).parent


def apply(page: str, root: Path) -> list[Path]:
    """Write the page's files and make its changes under `root`."""
    touched = []
    for block in BLOCK.finditer(page):
        path = root / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            changed(path.read_text(), block["body"])
            if block["kind"] == "diff"
            else block["body"]
        )
        touched.append(path)
    return touched


def changed(text: str, diff: str) -> str:
    """Replace the lines that are there (' ', '-') by those that shall be (' ', '+')."""
    lines = diff.rstrip("\n").split("\n")
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"not there once:\n{before}"
    return text.replace(before, after)


def call(copy: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{copy}",
        "XDG_CONFIG_HOME": str(copy / "config"),
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("howto")
    shutil.copy(ROOT / "pyproject.toml", root)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", root / "src", ignore=ignored)
    shutil.copytree(ROOT / "docs" / "reference", root / "docs" / "reference", ignore=ignored)
    apply(PAGE.read_text(), root)
    return root


def test_the_new_stage_passes_its_tests(copy: Path) -> None:
    tests = copy / "tests" / "unit" / "robustness"
    outcome = call(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    assert outcome.returncode == 0, outcome.stdout
    assert " passed" in outcome.stdout


def test_the_new_stage_keeps_style_types_and_layers(copy: Path) -> None:
    package = copy / "src" / "titian" / "robustness"
    for command in (
        ("ruff", "check", "--no-cache", package, copy / "tests" / "unit" / "robustness"),
        ("ruff", "format", "--no-cache", "--check", package, copy / "tests"),
        ("lint-imports", "--no-cache"),
    ):
        outcome = call(copy, BIN / command[0], *command[1:])
        assert outcome.returncode == 0, outcome.stdout


@pytest.mark.slow
def test_the_new_stage_passes_the_type_checker(copy: Path) -> None:
    package = copy / "src" / "titian" / "robustness"
    outcome = call(copy, BIN / "mypy", "--cache-dir", copy / "mypy", package)
    assert outcome.returncode == 0, outcome.stdout


def test_the_new_stage_runs_and_stands_in_the_dossier(copy: Path, tmp_path: Path) -> None:
    study = write_table_study(tmp_path / "study", cases=300)
    project = study / "titian.yaml"
    project.write_text(
        f"{project.read_text()}"
        "  - {id: R9, finding: robustness.unsteady, at_most: 0}\n"
        "shake: {size: 0.01, repeats: 5}\n"
    )
    outcome = call(copy, sys.executable, "-m", "titian", "run", study, "--json")
    assert outcome.returncode in (0, 1), outcome.stderr
    said = json.loads(outcome.stdout)
    (verdict,) = [row for row in said["verdicts"] if row["id"] == "R9"]
    assert verdict["verdict"] == "met"

    ledger = json.loads((Path(study) / "dossier" / "ledger.json").read_bytes())
    statements = [
        json.loads(base64.b64decode(entry["envelope"]["payload"]))["predicate"]
        for entry in ledger["entries"]
    ]
    (shake,) = [one for one in statements if one["stage"] == "shake"]
    (measurement,) = shake["measurements"]
    assert measurement["name"] == "steadiness"
    assert 0.9 < measurement["value"] <= 1.0
    assert [control["found"] for control in shake["controls"]] == [True]
    assert (
        call(copy, sys.executable, "-m", "titian", "verify", study / "dossier").returncode == 0
    )


def test_a_page_that_no_longer_fits_turns_red(tmp_path: Path) -> None:
    (tmp_path / "registry.py").write_text("STAGES = ()\n")
    page = "`registry.py`\n\n```diff\n     VALIDATE,\n+    SHAKE,\n```\n"
    with pytest.raises(AssertionError, match="not there once:"):
        apply(page, tmp_path)
