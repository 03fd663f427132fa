"""Every command, stage, measure, error code and finding code is described."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import typer

from tests.gates import documentation
from tests.gates.hygiene import ROOT

PACKAGE = ROOT / "src" / "titian"
REFERENCE = ROOT / "docs" / "reference"


def commands() -> set[str]:
    """Return every command as it is typed after ``titian``."""
    from titian.cli.app import app

    def walk(command: click.Command, path: str) -> set[str]:
        inner = getattr(command, "commands", None)
        if not inner:
            return {path}
        return {name for key in inner for name in walk(inner[key], f"{path} {key}".strip())}

    return walk(typer.main.get_command(app), "")


def stages() -> set[str]:
    from titian.pipeline.registry import STAGES

    return {stage.name for stage in STAGES}


def measures() -> set[str]:
    from titian.validation.measures import MEASURES

    ids = MEASURES if isinstance(MEASURES, dict) else [measure.id for measure in MEASURES]
    return set(ids)


def described_commands(page: Path) -> set[str]:
    return {name.removeprefix("titian ") for name in documentation.headings(page)}


def test_every_command_is_described() -> None:
    page = REFERENCE / "cli.md"
    assert documentation.undocumented(commands(), described_commands(page)) == []


def test_every_stage_is_described() -> None:
    page = REFERENCE / "stages.md"
    assert documentation.undocumented(stages(), documentation.headings(page)) == []


def test_every_measure_is_described() -> None:
    page = REFERENCE / "measures.md"
    assert documentation.undocumented(measures(), documentation.headings(page)) == []


def test_every_error_code_is_described_and_every_described_one_exists() -> None:
    raised = documentation.error_codes(PACKAGE)
    described = {
        name for name in documentation.headings(REFERENCE / "errors") if name.startswith("T-")
    }
    assert documentation.undocumented(raised, described) == []
    assert documentation.undocumented(described, raised) == []


def test_every_finding_is_described_and_every_described_one_exists() -> None:
    made = documentation.finding_codes(PACKAGE)
    described = {name for name in documentation.headings(REFERENCE / "findings") if "." in name}
    assert documentation.undocumented(made, described) == []
    assert documentation.undocumented(described, made) == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that raises one error and makes two findings, and its pages."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "planted.py").write_text(
        '"""Raises T-D998 in prose only."""\n\nLATE = "data.late"\n\n\n'
        'def look():\n    """See T-D997."""\n    return [\n'
        '        Problem(code="T-D999", message="", remedy=""),\n'
        '        Finding(code="data.planted", severity=1),\n'
        "        Finding(code=LATE, severity=1),\n    ]\n"
    )
    (tmp_path / "pages").mkdir()
    return tmp_path


def test_an_undescribed_error_code_turns_red(package: Path) -> None:
    raised = documentation.error_codes(package / "src")
    assert raised == {"T-D999"}
    pages = package / "pages"
    assert documentation.undocumented(raised, documentation.headings(pages)) == ["T-D999"]
    (pages / "data.md").write_text("# Data\n\nT-D999 in prose is no description.\n")
    assert documentation.undocumented(raised, documentation.headings(pages)) == ["T-D999"]
    (pages / "data.md").write_text("# Data\n\n## T-D999\n\nWhen.\n")
    assert documentation.undocumented(raised, documentation.headings(pages)) == []


def test_a_described_error_code_that_nothing_raises_turns_red(package: Path) -> None:
    (package / "pages" / "data.md").write_text("## T-D999\n\n## T-D996\n")
    described = documentation.headings(package / "pages")
    raised = documentation.error_codes(package / "src")
    assert documentation.undocumented(described, raised) == ["T-D996"]


def test_an_undescribed_finding_turns_red(package: Path) -> None:
    made = documentation.finding_codes(package / "src")
    assert made == {"data.planted", "data.late"}
    (package / "pages" / "data.md").write_text("## data.planted\n")
    described = documentation.headings(package / "pages")
    assert documentation.undocumented(made, described) == ["data.late"]


def test_a_finding_code_that_is_put_together_is_refused(package: Path) -> None:
    path = package / "src" / "planted.py"
    path.write_text("Finding(code=f'data.{1}')\n")
    with pytest.raises(TypeError, match="write the finding's code out or name a constant"):
        documentation.finding_codes(package / "src")


@pytest.mark.parametrize("page", ["cli.md", "stages.md", "measures.md"])
def test_an_undescribed_command_stage_or_measure_turns_red(page: str) -> None:
    described = documentation.headings(REFERENCE / page)
    assert documentation.undocumented({"planted"}, described) == ["planted"]
    known = {"cli.md": commands, "stages.md": stages, "measures.md": measures}[page]()
    text = (REFERENCE / page).read_text()
    name = min(known)
    assert documentation.undocumented({name}, described_commands(REFERENCE / page)) == []
    cut = text.replace(name, "")
    assert name not in cut
    assert name not in set(documentation.HEADING.findall(cut))
