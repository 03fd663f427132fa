"""`titian status`: what a project has done and what is left to do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from titian.cli.output import console, write_json

if TYPE_CHECKING:
    from titian.pipeline.status import ProjectStatus


def status(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder with titian.yaml.")
    ] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a project's stages, its last verdicts and its dossier.

    Nothing is run.

    \b
    Example:
      titian status my-study
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.pipeline.status import status as project_status
    from titian.values import to_json

    found = project_status(directory)
    if json:
        write_json(
            {
                "project": found.project,
                "stages": [to_json(stage) for stage in found.stages],
                "verdicts": dict(found.verdicts),
                "dossier": None if found.dossier is None else str(found.dossier),
            }
        )
    else:
        _print(found, directory)


def _print(found: ProjectStatus, directory: Path) -> None:
    from rich.table import Table

    table = Table(title=f"Stages of {found.project}", title_justify="left", box=None)
    for heading in ("stage", "last run", "findings", "controls caught", "what it does"):
        table.add_column(heading, no_wrap=heading != "what it does")
    for stage in found.stages:
        ran = stage.end is not None
        table.add_row(
            stage.name,
            stage.end or "not yet",
            str(stage.findings) if ran else "",
            f"{stage.controls_found} of {stage.controls}" if ran and stage.controls else "",
            stage.summary,
        )
    out = console()
    out.print(table)
    out.print()
    if found.dossier is None:
        again = shlex.quote(str(directory))
        out.print(f"No dossier yet. Next: titian run {again}", soft_wrap=True)
        return
    counts = ", ".join(f"{found.verdicts.get(v, 0)} {v}" for v in _VERDICTS)
    out.print(f"Verdicts: {counts}")
    out.print(f"Dossier:  {found.dossier / 'index.html'}", soft_wrap=True)


_VERDICTS = ("met", "not met", "not shown")
