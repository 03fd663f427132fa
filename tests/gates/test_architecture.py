"""Each import-linter contract is kept, and turns red on a planted violation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.gates.hygiene import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

# contract, file to which code is added, the code, what the report must name
VIOLATIONS = [
    (
        "layers",
        "values/finding.py",
        "import titian.stage",
        "titian.values.finding -> titian.stage",
    ),
    (
        "layers",
        "statistics/__init__.py",
        "def late() -> None:\n    import titian.evidence",
        "titian.statistics -> titian.evidence",
    ),
    (
        "layers",
        "training/stage.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import titian.validation",
        "titian.training.stage -> titian.validation",
    ),
    ("layers", "newcomer.py", "", "newcomer"),
    ("siblings", "values/digest_of_nothing.py", "import titian.values.finding", "cycle"),
    ("edges", "statistics/__init__.py", "import pydantic", "titian.statistics -> pydantic"),
    ("evidence", "evidence/__init__.py", "import numpy", "titian.evidence -> numpy"),
]


def lint(folder: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package under `folder`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    if contract is not None:
        command += ["--contract", contract]
    return subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "src" / "titian",
        tmp_path / "src" / "titian",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return tmp_path


def test_every_contract_is_kept() -> None:
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in outcome.stdout


def test_every_contract_has_a_violation_here() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {
        contract for contract, *_ in VIOLATIONS
    }


@pytest.mark.parametrize(("contract", "place", "code", "named"), VIOLATIONS)
def test_a_planted_violation_turns_the_contract_red(
    copy: Path, contract: str, place: str, code: str, named: str
) -> None:
    path = copy / "src" / "titian" / place
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}\n\n{code}\n")
    if contract == "siblings":
        finding = copy / "src" / "titian" / "values" / "finding.py"
        finding.write_text(f"{finding.read_text()}\n\nimport titian.values.digest_of_nothing\n")
    outcome = lint(copy, contract)
    assert outcome.returncode == 1, outcome.stdout
    assert "Contracts: 0 kept, 1 broken." in outcome.stdout
    report = re.sub(r"\s+", " ", outcome.stdout)
    assert named in report, outcome.stdout
