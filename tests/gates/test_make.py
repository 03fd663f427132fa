"""`make` says what there is, and every version that is installed is pinned."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.gates.hygiene import ROOT

TARGETS = (
    *("help", "install", "demo", "test", "test-all", "lint", "fix", "types", "golden"),
    *("bench", "docs", "gates", "clean"),
)


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def unpinned(project: str, constraints: str) -> list[str]:
    """Return what the project asks for and the constraints do not pin."""
    table = tomllib.loads(project)["project"]
    asked = [*table["dependencies"]]
    for extra in table.get("optional-dependencies", {}).values():
        asked += extra
    pinned = {line.partition("==")[0] for line in constraints.splitlines() if "==" in line}
    return sorted({name_of(requirement) for requirement in asked} - pinned)


@pytest.mark.parametrize("command", [("make",), ("make", "help")])
def test_make_alone_lists_every_target(command: tuple[str, ...]) -> None:
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make ([a-z-]+) +\S", said, re.MULTILINE)
    assert listed == list(TARGETS)


def test_every_requirement_is_pinned() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert unpinned(project, (ROOT / "constraints.txt").read_text()) == []


def test_a_requirement_without_a_pin_turns_red() -> None:
    project = '[project]\ndependencies = ["numpy>=2"]\noptional-dependencies.x = ["a_b[c]>1"]\n'
    assert unpinned(project, "numpy==2.4.6\n") == ["a-b"]


def test_the_pins_name_no_registry_and_no_folder() -> None:
    pins = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert pins == sorted(pins, key=lambda pin: pin.partition("==")[0])
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin), pin


def test_ci_and_pre_commit_call_what_people_call() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    for target in ("lint", "types", "docs", "demo", "test"):
        assert f"make {target}" in ci
    assert "make lint" in (ROOT / ".pre-commit-config.yaml").read_text()
    assert Path(ROOT / ".ci" / "run").stat().st_mode & 0o111
