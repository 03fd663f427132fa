"""`titian new` writes a project and overwrites none."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from titian.cli.app import app
from titian.pipeline.project import read_project

RUNNER = CliRunner()


def test_new_writes_a_project_and_says_what_is_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, ["new", "studies/chest"])
    assert result.exit_code == 0
    assert result.stdout == (
        "Wrote studies/chest/titian.yaml.\n\n"
        "Next:\n"
        "  1. Open studies/chest/titian.yaml and name your table and its columns.\n"
        "  2. titian run studies/chest --data FOLDER_OF_YOUR_DATA\n"
    )
    assert read_project(Path("studies/chest")).name == "chest"


def test_new_quotes_a_folder_with_a_blank_in_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, ["new", "my study"])
    assert "  2. titian run 'my study' --data FOLDER_OF_YOUR_DATA\n" in result.stdout
    result = RUNNER.invoke(app, ["status", "my study"])
    assert "Next: titian run 'my study'\n" in result.stdout


def test_new_never_overwrites_a_project(tmp_path):
    (tmp_path / "titian.yaml").write_text("mine")
    result = RUNNER.invoke(app, ["new", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr == (
        f"T-P028: {tmp_path}/titian.yaml exists already; a project file is never overwritten. "
        "Edit it, or name another folder.\n\n"
    )
    assert (tmp_path / "titian.yaml").read_text() == "mine"


def test_new_refuses_a_file_in_place_of_a_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    result = RUNNER.invoke(app, ["new", str(path)])
    assert result.exit_code == 2
    assert result.stderr == (
        f"T-P029: {path} is a file; a project is a folder. Name another folder.\n\n"
    )


def test_new_keeps_what_else_is_in_the_folder(tmp_path):
    (tmp_path / "labels.csv").write_text("a\n")
    assert RUNNER.invoke(app, ["new", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "labels.csv").read_text() == "a\n"


def test_a_project_that_cannot_be_read_is_refused_as_json_too(tmp_path):
    (tmp_path / "titian.yaml").write_text("name: a\ndata: {table: t.csv, lable: y}\n")
    result = RUNNER.invoke(app, ["status", str(tmp_path), "--json"])
    assert result.exit_code == 2
    errors = json.loads(result.stdout)["errors"]
    assert [error["code"] for error in errors] == ["T-P010", "T-P011"] or [
        error["code"] for error in errors
    ] == ["T-P011", "T-P010"]
