"""Help answers at once and is the same everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.help_pages import commands, help_page, reference

import titian

ROOT = Path(__file__).resolve().parents[3]
QUICK = ROOT / "src/titian/cli/help.txt"
PAGE = ROOT / "docs/reference/cli.md"

HEAVY = {
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "PIL",
    "pydicom",
    "pydantic",
    "yaml",
    "rich",
    "cryptography",
    "onnx",
    "onnxruntime",
    "torch",
    "sklearn",
    "joblib",
    "jinja2",
    "typst",
    "filelock",
    "matplotlib",
}


def held_to(path: Path, text: str) -> None:
    if os.environ.get("TITIAN_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "write it anew with TITIAN_GOLDEN=write"


def test_the_quick_help_is_what_the_parser_prints():
    held_to(QUICK, help_page())


def test_the_reference_holds_the_help_of_every_command():
    held_to(PAGE, reference())


def test_every_command_of_the_contract_is_there():
    top = {words[0] for words in commands() if words}
    assert top >= {"new", "demo", "run", "status", "verify", "ledger"}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_says_what_it_does_and_gives_an_example(words):
    page = help_page(*words)
    assert "titian" in page.splitlines()[0]
    if words and words[0] in ("new", "demo", "run", "status"):
        assert "Example" in page


def run_python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_help_imports_no_parser_and_the_parser_nothing_heavy():
    quick = "import sys; sys.argv[1:] = ['--help']; from titian.cli import main; main()"
    seen = run_python("-c", f"{quick}; print(*sys.modules, sep='\\n')")
    assert "typer" not in seen.split()
    assert seen.startswith(QUICK.read_text())
    loaded = run_python(
        "-c",
        "import sys; import titian.cli.app; print(*(m.split('.')[0] for m in sys.modules))",
    )
    assert not set(loaded.split()) & HEAVY


def test_version_and_module_form():
    assert run_python("-m", "titian", "--version") == f"titian {titian.__version__}\n"


def test_completion_knows_the_commands():
    environment = os.environ | {
        "_TITIAN_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "titian ",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from titian.cli import main; main()"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    for name in ("new", "demo", "run", "status", "verify", "ledger"):
        assert name in done.stdout
