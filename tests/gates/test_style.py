"""Ruff's bans and mypy's strictness turn red on what they forbid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gates.hygiene import ROOT

BIN = Path(sys.executable).parent
HEAD = '"""A module."""\n\nfrom __future__ import annotations\n\n'


def rules(code: str, filename: str = "src/titian/statistics/planted.py") -> set[str]:
    """Return the rules that `code` would break as that file."""
    outcome = subprocess.run(
        [
            BIN / "ruff",
            "check",
            "--no-cache",
            "--output-format=json",
            "--stdin-filename",
            filename,
            "-",
        ],
        cwd=ROOT,
        input=HEAD + code,
        capture_output=True,
        text=True,
        check=False,
    )
    return {fault["code"] for fault in json.loads(outcome.stdout)}


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import numpy as np\n\nVALUE = np.random.rand(3)\n", "TID251"),
        ("import numpy as np\n\nVALUE = np.random.normal(3)\n", "NPY002"),
        ("import numpy as np\n\nnp.random.seed(3)\n", "NPY002"),
        ("from numpy.random import choice\n\nVALUE = choice(3)\n", "TID251"),
        ("import datetime\n\nNOW = datetime.datetime.now()\n", "TID251"),
        ("from datetime import datetime, UTC\n\nNOW = datetime.now(UTC)\n", "TID251"),
        ("import pickle\n\nVALUE = pickle.loads(b'')\n", "TID251"),
        ("import importlib\n\nVALUE = importlib.import_module('os')\n", "TID251"),
        ("from importlib import import_module\n\nVALUE = import_module('os')\n", "TID251"),
        ("print('hello')\n", "T201"),
        ("def share(part: int) -> int:\n    return part\n", "D103"),
        ("def share(part):\n    '''Return it.'''\n    return part\n", "ANN001"),
        ("try:\n    VALUE = 1\nexcept Exception:\n    VALUE = 2\n", "BLE001"),
        ("VALUE = open('x').read()\n", "PTH123"),
        ("assert True\n", "S101"),
        ("VALUE: int = 'x'  # type: ignore\n", "PGH003"),
        ("VALUE = 1  # noqa\n", "PGH004"),
    ],
)
def test_a_ban_turns_red(code: str, rule: str) -> None:
    assert rule in rules(code)


def test_the_generator_that_is_passed_is_allowed() -> None:
    code = (
        "import numpy as np\n\n\ndef draw(generator: np.random.Generator) -> float:\n"
        '    """Return a draw."""\n    return float(generator.normal())\n'
    )
    assert rules(code) == set()


def test_only_the_command_line_may_print() -> None:
    assert "T201" in rules("print('hello')\n", "src/titian/pipeline/planted.py")
    assert "T201" not in rules("print('hello')\n", "benchmarks/planted.py")


def mypy(code: str, cache: Path) -> subprocess.CompletedProcess[str]:
    planted = cache / "planted.py"
    planted.write_text(code)
    return subprocess.run(
        [BIN / "mypy", "--config-file", "pyproject.toml", "--cache-dir", cache, planted],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def share(part):\n    return part\n", "[no-untyped-def]"),
        ("def share(part: list) -> int:\n    return 1\n", "[type-arg]"),
        (
            "import enum\nclass Side(enum.Enum):\n    LEFT = 1\n    RIGHT = 2\n"
            "def turn(side: Side) -> None:\n    match side:\n        case Side.LEFT:\n"
            "            pass\n",
            "[exhaustive-match]",
        ),
        (
            "def turn(side: bool) -> int:\n    if side:\n        value = 1\n    return value\n",
            "[possibly-undefined]",
        ),
        ("def turn(side: str) -> int:\n    return side\n", "[return-value]"),
    ],
)
def test_a_type_fault_turns_red(code: str, fault: str, cache: Path) -> None:
    outcome = mypy(code, cache)
    assert outcome.returncode == 1
    assert fault in outcome.stdout


def test_typed_code_is_green(cache: Path) -> None:
    assert mypy("def share(part: int) -> int:\n    return part\n", cache).returncode == 0
