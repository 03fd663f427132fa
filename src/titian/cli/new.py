"""`titian new`: a project file to fill in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from titian.cli.output import write_line


def new(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to make the project in.")
    ],
) -> None:
    """Write a commented titian.yaml to fill in.

    A folder that holds a project already is left alone.

    \b
    Example:
      titian new chest-xray
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.pipeline.template import write_template

    path = write_template(directory)
    write_line(f"Wrote {path}.")
    write_line("")
    write_line("Next:")
    write_line(f"  1. Open {path} and name your table and its columns.")
    write_line(f"  2. titian run {shlex.quote(str(directory))} --data FOLDER_OF_YOUR_DATA")
