"""``titian scan``: whether model files are safe to open, without opening them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from titian.cli.output import write_json, write_line

if TYPE_CHECKING:
    from titian.validation.scan.reason import Report
    from titian.validation.scan.torch_files import StateDict

REFUSED = 1  # exit code where a file is refused


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders to scan.")],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="JSON file with names to allow and other limits."),
    ] = None,
    convert: Annotated[
        Path | None,
        typer.Option(
            "--convert", help="Folder for safetensors copies of the state dicts allowed."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say which model files are safe to open. Nothing is loaded, imported or executed.

    A file is allowed only if its format was recognised from its content, all of it was
    read, and all that it would do is on the allow-list.

    \b
    Exit codes: 0 every file is allowed; 1 at least one is refused; 2 the call is wrong;
    3 the machine or Titian failed, which says nothing about the files.
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.validation.scan.policy import read, standard
    from titian.validation.scan.scanner import scan as scan_paths

    rules = read(policy) if policy else standard()
    copies: list[Path] = []

    def keep(held: StateDict, report: Report) -> None:
        if convert:
            from titian.validation.scan.conversion import convert as write

            copy = write(held, report, rules, convert)
            copies.extend([copy] if copy else [])

    reports = scan_paths(paths, rules, keep)
    if as_json:
        write_json(
            {
                "policy": rules.version,
                "files": [_json(r) for r in reports],
                "copies": list(map(str, copies)),
            }
        )
    else:
        _print(reports)
        for copy in copies:
            write_line(f"copy: {copy}")
    if not all(report.allowed for report in reports):
        raise typer.Exit(REFUSED)


def _json(report: Report) -> dict[str, object]:
    return {
        "path": report.path,
        "format": report.format,
        "sha256": report.sha256,
        "allowed": report.allowed,
        "reasons": [
            {"code": r.code, "where": r.where, "remedy": r.remedy} for r in report.reasons
        ],
        "notes": list(report.notes),
    }


def _print(reports: tuple[Report, ...]) -> None:
    for report in reports:
        word = "allowed" if report.allowed else "REFUSED"
        write_line(f"{word}  {report.path}  ({report.format})")
        for reason in report.reasons:
            write_line(f"  {reason.code}: {reason.where}")
            write_line(f"    {reason.remedy}")
        for note in report.notes:
            write_line(f"  note: {note}")
    refused = sum(not report.allowed for report in reports)
    write_line(f"{len(reports)} files, {refused} refused")
