"""No traceback reaches a user: errors become exit codes and messages."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from titian.cli.guard import GuardedGroup
from titian.errors import CheckFailed, EnvironmentFault, InputError, Problem

RUNNER = CliRunner()
FIRST = Problem(code="T-D014", message="column 'age' has 3 texts.", remedy="Mend the rows.")
SECOND = Problem(code="T-D015", message="row 4 is blank.", remedy="Drop it.")


def raising(error: BaseException, name: str = "fail") -> typer.Typer:
    app = typer.Typer(cls=GuardedGroup, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command(name)
    def fail(
        folder: Path = Path(),
        json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        raise error

    @app.command()
    def other() -> None: ...

    return app


@pytest.mark.parametrize(
    ("kind", "code"), [(InputError, 2), (CheckFailed, 1), (EnvironmentFault, 3)]
)
def test_every_problem_is_a_paragraph_and_the_error_its_exit_code(kind, code):
    result = RUNNER.invoke(raising(kind(FIRST, SECOND)), ["fail"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == (
        "T-D014: column 'age' has 3 texts. Mend the rows.\n\n"
        "T-D015: row 4 is blank. Drop it.\n\n"
    )


def test_json_gets_the_problems_as_a_document():
    result = RUNNER.invoke(raising(InputError(FIRST)), ["fail", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "errors": [
            {
                "code": "T-D014",
                "message": "column 'age' has 3 texts.",
                "remedy": "Mend the rows.",
            }
        ]
    }
    assert "T-D014" in result.stderr


def test_a_full_disk_says_that_nothing_is_lost():
    full = OSError(errno.ENOSPC, "No space left on device", "/data/store")
    result = RUNNER.invoke(raising(full), ["fail"])
    assert result.exit_code == 3
    assert result.stderr == (
        "T-X901: the disk is full at /data/store. Free some space and run the same command "
        "again; nothing is lost, and finished stages are not repeated.\n\n"
    )


def test_refused_access_names_the_place():
    refused = PermissionError(errno.EACCES, "Permission denied", "/data/store")
    result = RUNNER.invoke(raising(refused), ["fail"])
    assert result.exit_code == 3
    assert result.stderr == (
        "T-X902: the system refuses access at /data/store: permission denied. Change its "
        "permissions, or choose another folder.\n\n"
    )


def test_memory_that_runs_out_is_told_in_words():
    result = RUNNER.invoke(raising(MemoryError()), ["fail"])
    assert result.exit_code == 3
    assert result.stderr == (
        "T-X903: the memory of this machine is used up. Close other programs, use smaller "
        "images, or name a cluster with --engine.\n\n"
    )


def test_an_own_fault_is_one_line_and_its_traceback_a_file(tmp_path):
    (tmp_path / ".titian").mkdir()
    result = RUNNER.invoke(
        raising(ZeroDivisionError("by zero")), ["fail", "--folder", tmp_path]
    )
    (saved,) = (tmp_path / ".titian").glob("crash-*.txt")
    assert result.exit_code == 3
    assert result.stderr == (
        "T-X000: Titian failed: ZeroDivisionError: by zero. This is a fault of Titian's own. "
        f"Details are in {saved}; please report it.\n\n"
    )
    assert saved.read_text().startswith("Traceback (most recent call last):")


def test_an_own_fault_outside_a_project_is_saved_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = RUNNER.invoke(raising(KeyError("x\nTraceback")), ["fail"])
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 2
    assert len(list(tmp_path.glob("crash-*.txt"))) == 1


def test_an_interrupt_says_that_the_next_run_carries_on():
    result = RUNNER.invoke(raising(KeyboardInterrupt(), "run"), ["run"])
    assert result.exit_code == 130
    assert result.stderr == (
        "\nInterrupted. Nothing is lost: the next `titian run` carries on after the last "
        "finished stage.\n"
    )


def test_an_interrupted_command_that_keeps_nothing_says_so():
    result = RUNNER.invoke(raising(KeyboardInterrupt()), ["fail"])
    assert result.exit_code == 130
    assert result.stderr == "\nInterrupted before it was done. Call it again.\n"


def test_a_wrong_call_is_left_to_the_parser():
    result = RUNNER.invoke(raising(ValueError()), ["fail", "--jsn"])
    assert result.exit_code == 2
    assert "No such option: --jsn" in result.stderr
    assert RUNNER.invoke(raising(ValueError()), ["fial"]).exit_code == 2


def test_an_exit_passes_with_its_code():
    assert RUNNER.invoke(raising(typer.Exit(7)), ["fail"]).exit_code == 7
